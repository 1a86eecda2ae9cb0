"""How pixels are stored in a network's input and output: order of the channels, black, white."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...imaging.colour import LUMA_BT601
from ...imaging.resize import imresize

Frames = NDArray[np.uint8]
Values = NDArray[np.float32]


@dataclass(frozen=True)
class Range:
    """The values of black and of white."""

    black: float
    white: float

    @property
    def name(self) -> str:
        """As options and messages write it."""
        return f"{self.black:g}..{self.white:g}"

    @property
    def unit(self) -> float:
        """A step of one code value."""
        return (self.white - self.black) / 255


RANGES = {span.name: span for span in (Range(0, 1), Range(0, 255), Range(-1, 1))}
ORDERS = ("rgb", "bgr")

# Y, Cb and Cr of JPEG (BT.601, full range) of B, G, R.
_RED, _GREEN, _BLUE = LUMA_BT601
TO_YCC = np.array(
    [
        [_BLUE, _GREEN, _RED],
        [0.5, -0.5 * _GREEN / (1 - _BLUE), -0.5 * _RED / (1 - _BLUE)],
        [-0.5 * _BLUE / (1 - _RED), -0.5 * _GREEN / (1 - _RED), 0.5],
    ]
)
FROM_YCC = np.linalg.inv(TO_YCC)
CHROMA_BORDER = 2
"""How far a bicubic enlargement reaches, in pixels."""


@dataclass(frozen=True)
class Convention:
    """`order` is of the colours; `given` the range of the input, `taken` that of the output.

    A grey network gets luma, and colours are enlarged bicubically beside it; a network with alpha
    gets opaque frames, and the alpha that it gives is left out.
    """

    channels: int = 3
    order: str = "rgb"
    given: Range = RANGES["0..1"]
    taken: Range = RANGES["0..1"]

    def entry(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Matrix C×3 and offset C that make the network's channels of BGR code values."""
        unit = self.given.unit
        offset = np.full(self.channels, self.given.black)
        if self.channels == 1:
            return TO_YCC[:1] * unit, offset
        matrix = np.zeros((self.channels, 3))
        matrix[:3] = np.eye(3)[::-1] if self.order == "rgb" else np.eye(3)
        offset[3:] = self.given.white
        return matrix * unit, offset

    def exit(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Matrix M×C and offset M that make BGR code values, or luma, of the network's channels."""
        colours = np.eye(self.channels)[:3]
        if self.order == "rgb":
            colours = colours[::-1]
        matrix = colours / self.taken.unit
        return matrix, np.full(len(matrix), -self.taken.black / self.taken.unit)

    def give(self, frames: Frames) -> Values:
        """The input N×C×H×W for uint8 N×H×W×3 BGR frames, computed on the host."""
        matrix, offset = self.entry()
        values = frames.astype(np.float64) @ matrix.T + offset
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2), np.float32)

    def take(self, output: Values, frames: Frames) -> Values:
        """N×sH×sW×3 BGR code values, not clamped, of the output for those frames."""
        matrix, offset = self.exit()
        values = output.transpose(0, 2, 3, 1).astype(np.float64) @ matrix.T + offset
        if self.channels == 1:
            scale = output.shape[2] // frames.shape[1]
            chroma = enlarged(frames.astype(np.float64) @ TO_YCC[1:].T, scale)
            values = np.concatenate([values, chroma], axis=3) @ FROM_YCC.T
        return values.astype(np.float32)


def enlarged(frames: NDArray[np.float64], scale: int) -> NDArray[np.float64]:
    """Float N×H×W×C frames enlarged bicubically (a = -0.5), their edges repeated."""
    border = CHROMA_BORDER
    padded = np.pad(frames, ((0, 0), (border, border), (border, border), (0, 0)), mode="edge")
    big = np.stack([imresize(frame, scale) for frame in padded])
    cut = slice(border * scale, -border * scale)
    return big[:, cut, cut]


def levels(values: Values) -> Frames:
    """Code values rounded half up and clamped, as uint8."""
    rounded: Frames = np.floor(np.clip(values + 0.5, 0, 255)).astype(np.uint8)
    return rounded
