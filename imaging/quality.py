"""The standard super-resolution protocol: how far an upscaled image is from the original.

The original is cropped to a multiple of the scale, shrunk by MATLAB's bicubic and rounded to uint8;
the upscaled result is compared with it on the luma of BT.601 limited range, in whole codes as
MATLAB's `rgb2ycbcr` gives it, after shaving `scale` pixels from each border; a set's score is the
mean over its images. (Unrounded luma gives bicubic ×4 on Set5 28.43 dB instead of the published
28.42.) Grey originals (H×W) are luma as they are: making them RGB first would compress their range
and raise the score.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from .colour import bgr_to_grey, bgr_to_y
from .histogram import match_histogram
from .metrics import psnr, shave, ssim
from .resize import imresize

ImageU8 = NDArray[np.uint8]
Upscale = Callable[[ImageU8], ImageU8]
Distance = Callable[[ImageU8, ImageU8, int], float]
"""Of two BGR images of one shape; the last is the border, in pixels, that does not count."""


@dataclass(frozen=True)
class ImageQuality:
    """Scores of one image: Y-PSNR in dB (`inf` for an equal image) and Y-SSIM."""

    name: str
    psnr_db: float
    ssim: float


@dataclass(frozen=True)
class SetQuality:
    """Scores of a set of images under the protocol; `images` is not empty."""

    scale: int
    images: tuple[ImageQuality, ...]

    @property
    def psnr_db(self) -> float:
        """Mean of the images' Y-PSNR in dB."""
        return math.fsum(image.psnr_db for image in self.images) / len(self.images)

    @property
    def ssim(self) -> float:
        """Mean of the images' Y-SSIM."""
        return math.fsum(image.ssim for image in self.images) / len(self.images)


def crop_to_multiple(image: ImageU8, multiple: int) -> ImageU8:
    """View of an H×W or H×W×3 image without the last rows and columns that do not fill a multiple.

    Raises ValueError for an image smaller than the multiple.
    """
    height, width = (side - side % multiple for side in image.shape[:2])
    if min(height, width) == 0:
        raise ValueError(f"an image of shape {image.shape} is smaller than {multiple}×{multiple}")
    return image[:height, :width]


def as_bgr(image: ImageU8) -> ImageU8:
    """H×W×3 of an image that may be grey, H×W."""
    return np.stack([image] * 3, axis=-1) if image.ndim == 2 else image


def shrink(original: ImageU8, scale: int) -> ImageU8:
    """The protocol's low-resolution image of an original: cropped, MATLAB bicubic, uint8."""
    return imresize(crop_to_multiple(original, scale), Fraction(1, scale))


def bicubic(scale: int) -> Upscale:
    """MATLAB's bicubic upscaling by `scale`, the baseline of every table."""
    return lambda image: imresize(image, scale)


def compare(name: str, upscaled: ImageU8, original: ImageU8, scale: int) -> ImageQuality:
    """Scores of an upscaled BGR image against its original (BGR H×W×3, or H×W when grey).

    Raises ValueError when the upscaled image does not have the size of the cropped original.
    """
    reference = crop_to_multiple(original, scale)
    if upscaled.shape[:2] != reference.shape[:2]:
        raise ValueError(
            f"{name}: the upscaled image has shape {upscaled.shape}, expected {reference.shape}"
        )
    to_luma = bgr_to_grey if reference.ndim == 2 else bgr_to_y
    got, wanted = (shave(np.rint(to_luma(image)), scale) for image in (upscaled, reference))
    return ImageQuality(name, psnr(got, wanted), ssim(got, wanted))


@dataclass(frozen=True)
class Trial:
    """An original, uint8 BGR H×W×3 or grey H×W, and what was made of it: `small` is the reduced
    image, `output` that enlarged again, both BGR.
    """

    name: str
    scale: int
    original: ImageU8
    small: ImageU8
    output: ImageU8

    @property
    def reference(self) -> ImageU8:
        """The cropped original, BGR, of the size of the output."""
        return as_bgr(crop_to_multiple(self.original, self.scale))

    @property
    def quality(self) -> ImageQuality:
        """Scores of the output."""
        return compare(self.name, self.output, self.original, self.scale)

    def distance(self, of: Distance) -> float:
        """How far the output is from the original by another measure."""
        return of(self.output, self.reference, self.scale)


def trials(
    images: Iterable[tuple[str, ImageU8]], upscale: Upscale, scale: int, *, matching: bool = False
) -> Iterator[Trial]:
    """What `upscale` makes of (name, original) pairs under the protocol.

    `upscale` always gets a BGR H×W×3 image (grey is repeated over the channels) and returns one
    `scale` times as large. With `matching` the histogram of each output is matched to that of its
    input, the post-processing of Johnson et al. 2016, section 4.2. Raises ValueError for images
    smaller than the scale.
    """
    for name, original in images:
        small = as_bgr(shrink(original, scale))
        output = upscale(small)
        if matching:
            output = match_histogram(output, small)
        yield Trial(name, scale, original, small, output)


def evaluate(images: Iterable[tuple[str, ImageU8]], upscale: Upscale, scale: int) -> SetQuality:
    """Scores of `upscale` on (name, original) pairs, see `trials`.

    Raises ValueError when there are no images, for images too small to score, and for a result of a
    wrong size.
    """
    scores = tuple(trial.quality for trial in trials(images, upscale, scale))
    if not scores:
        raise ValueError("there are no images to evaluate")
    return SetQuality(scale, scores)
