"""What happens to the pixels of a frame between the source and the sink."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

import numpy as np

from ..opencv import load_cv2
from .frame import Image


class FrameUpscaler(Protocol):
    """What the pipeline needs of an `Upscaler`."""

    @property
    def scale(self) -> int:
        """How many times wider and higher the result is."""

    def __call__(self, frame: Image, out: Image | None = None) -> Image:
        """Upscale uint8 H×W×3 BGR into `out`, uint8 sH×sW×3, and return it."""


class FrameStep:
    """The upscaler, then if asked for a resize to another size, then the input beside it.

    Args:
        upscaler: what makes the frame larger.
        factor: output size over input size, when it is not the upscaler's own: the result is
            resized, with area averages when it shrinks and Lanczos when it grows.
        size_px: width and height of every result instead, whatever the frame's size: for a sink
            that cannot change its size.
        compare: put the input, enlarged bicubically, to the left of the result.
    """

    def __init__(
        self,
        upscaler: FrameUpscaler,
        *,
        factor: Fraction | None = None,
        size_px: tuple[int, int] | None = None,
        compare: bool = False,
    ) -> None:
        self._upscaler = upscaler
        self._factor = factor or Fraction(upscaler.scale)
        self._size_px = size_px
        self._compare = compare
        nothing: Image = np.empty((0, 0, 3), np.uint8)
        self._big = self._small = self._before = nothing  # kept from frame to frame

    def output_size(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Width and height of what becomes of a frame of that size."""
        if self._size_px is not None:
            return self._size_px
        width, height = (max(1, round(side * self._factor)) for side in (width_px, height_px))
        return width * 2 if self._compare else width, height

    def output_shape(self, image: Image) -> tuple[int, int, int]:
        """The shape of what becomes of `image`, uint8 H×W×3."""
        width, height = self.output_size(image.shape[1], image.shape[0])
        return height, width, 3

    def __call__(self, image: Image, out: Image) -> Image:
        """Fill and return `out`, of the shape that `output_shape` says."""
        after = out
        if self._compare:
            half = out.shape[1] // 2
            cv2 = load_cv2()
            self._before = _fitting(self._before, (out.shape[0], half, 3))
            size = half, out.shape[0]
            cv2.resize(image, size, dst=self._before, interpolation=cv2.INTER_CUBIC)
            np.copyto(out[:, :half], self._before)
            after = out[:, half:]
        self._upscale(image, after)
        return out

    def once(self, image: Image) -> Image:
        """What becomes of `image`, in a new array."""
        return self(image, np.empty(self.output_shape(image), np.uint8))

    def _upscale(self, image: Image, after: Image) -> None:
        scale = self._upscaler.scale
        big = (image.shape[0] * scale, image.shape[1] * scale, 3)
        if after.shape == big and after.flags.c_contiguous:
            self._upscaler(image, after)
            return
        self._big = _fitting(self._big, big)
        self._upscaler(image, self._big)
        if after.shape == big:
            np.copyto(after, self._big)
            return
        cv2 = load_cv2()
        shrinks = after.shape[0] < big[0]
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LANCZOS4
        size = after.shape[1], after.shape[0]
        if after.flags.c_contiguous:
            cv2.resize(self._big, size, dst=after, interpolation=method)
        else:
            self._small = _fitting(self._small, after.shape)
            cv2.resize(self._big, size, dst=self._small, interpolation=method)
            np.copyto(after, self._small)


def _fitting(kept: Image, shape: tuple[int, ...]) -> Image:
    """`kept` if it has that shape, else a new array."""
    return kept if kept.shape == shape else np.empty(shape, np.uint8)
