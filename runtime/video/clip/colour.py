"""Colour matrix, range, primaries and transfer of a clip: read, completed, refused.

The numbers are those of ITU-T H.273, which FFmpeg and the containers use as well.
"""

from __future__ import annotations

from dataclasses import dataclass

UNSPECIFIED = 2
"""Code point of H.273 for a matrix, primaries or a transfer that the clip does not state."""
LIMITED, FULL = 1, 2
"""Code values 16 to 235 ("tv") and 0 to 255 ("pc"), as FFmpeg numbers the ranges."""
HD_LINES = 720
"""Untagged clips with at least this many lines are taken for BT.709, smaller ones for BT.601."""

_RGB, _BT709, _SMPTE170M = 0, 1, 6
# H.273 matrix -> the constant by which libswscale knows its coefficients.
_SWSCALE_MATRIX = {_BT709: 1, 4: 4, 5: 5, _SMPTE170M: 5, 7: 7, 9: 9}
_HDR_TRANSFERS = {16: "PQ (HDR10)", 18: "HLG"}


@dataclass(frozen=True)
class Colour:
    """How the code values of a clip mean colours. `matrix` and `range` are never unspecified."""

    matrix: int
    range: int
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED

    @property
    def swscale_matrix(self) -> int:
        """The number under which libswscale knows the matrix."""
        return _SWSCALE_MATRIX[self.matrix]


def complete_colour(
    *, matrix: int, range_: int, primaries: int, transfer: int, is_rgb: bool, lines: int
) -> Colour:
    """Fill what a clip leaves open, so that reading and writing use the same numbers.

    A clip without a matrix is BT.709 from 720 lines up and BT.601 below, as players assume; one
    without a range is limited, RGB is full. For RGB clips the matrix is the one that an encoder
    will use: BT.709.

    Raises:
        ValueError: colours that cannot go through 8-bit BGR without a conversion that nobody
            asked for (PQ, HLG, constant-luminance and other unusual matrices). The message is a
            clause without a subject.
    """
    if transfer in _HDR_TRANSFERS:
        raise ValueError(
            f"is HDR video ({_HDR_TRANSFERS[transfer]}), which 8-bit frames cannot hold; "
            "convert it to SDR first"
        )
    if is_rgb:
        return Colour(_BT709, LIMITED, primaries, transfer)
    if matrix in (UNSPECIFIED, _RGB):
        matrix = _BT709 if lines >= HD_LINES else _SMPTE170M
    if matrix not in _SWSCALE_MATRIX:
        raise ValueError(f"uses colour matrix {matrix} of H.273, which is not supported")
    return Colour(matrix, range_ if range_ == FULL else LIMITED, primaries, transfer)
