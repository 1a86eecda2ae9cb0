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

_RGB, _BT709, _SMPTE170M, _BT2020 = 0, 1, 6, 9
# H.273 matrix -> the constant by which libswscale knows its coefficients.
_SWSCALE_MATRIX = {_BT709: 1, 4: 4, 5: 5, _SMPTE170M: 5, 7: 7, 9: 9}
# H.273 matrix -> weights of red and blue in luma.
_LUMA_WEIGHTS = {
    _BT709: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    _SMPTE170M: (0.299, 0.114),
    7: (0.212, 0.087),
    _BT2020: (0.2627, 0.0593),
}
_HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
TRANSFERS = {"sdr": 14, "pq": 16, "hlg": 18}
"""What `--assume-transfer` names: the transfers of BT.2020, in H.273."""


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

    @property
    def luma_weights(self) -> tuple[float, float]:
        """The weights of red and blue in luma."""
        return _LUMA_WEIGHTS[self.matrix]

    @property
    def hdr(self) -> str | None:
        """ "PQ" or "HLG" for HDR video, else None."""
        return _HDR_TRANSFERS.get(self.transfer)


def require_sdr(colour: Colour) -> None:
    """Raise ValueError for HDR, where frames have 8 bits. The message is a clause."""
    if colour.hdr is not None:
        raise ValueError(
            f"is HDR video ({colour.hdr}), which 8-bit frames cannot hold; convert it to SDR first"
        )


def complete_colour(
    *,
    lines: int,
    matrix: int = UNSPECIFIED,
    range_: int = LIMITED,
    primaries: int = UNSPECIFIED,
    transfer: int = UNSPECIFIED,
    is_rgb: bool = False,
    assume_transfer: str | None = None,
) -> Colour:
    """Fill what a clip leaves open, so that reading and writing use the same numbers.

    A clip without a matrix is BT.709 from 720 lines up and BT.601 below, as players assume; one
    without a range is limited, RGB is full. For RGB clips the matrix is the one that an encoder
    will use: BT.709. A clip of BT.2020 that states no transfer may be SDR or HDR:
    `assume_transfer`, of `TRANSFERS`, says which.

    Raises:
        ValueError: colours that cannot go through BGR without a conversion that nobody asked for
            (constant-luminance and other unusual matrices), or BT.2020 without a transfer. The
            message is a clause without a subject.
    """
    if _BT2020 in (matrix, primaries) and transfer == UNSPECIFIED:
        if assume_transfer is None:
            raise ValueError(
                "has the colours of BT.2020 and does not state whether it is SDR or HDR; name it "
                "with --assume-transfer sdr, pq or hlg"
            )
        transfer = TRANSFERS[assume_transfer]
    if is_rgb:
        encoded = _BT2020 if primaries == _BT2020 else _BT709
        return Colour(encoded, LIMITED, primaries, transfer)
    if matrix in (UNSPECIFIED, _RGB):
        matrix = _BT709 if lines >= HD_LINES else _SMPTE170M
    if matrix not in _SWSCALE_MATRIX:
        raise ValueError(f"uses colour matrix {matrix} of H.273, which is not supported")
    return Colour(matrix, range_ if range_ == FULL else LIMITED, primaries, transfer)
