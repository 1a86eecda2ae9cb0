"""Moving pictures made of photographs: a virtual camera over them, and layers that move alone.

All motion is smooth and sub-pixel, as in footage. A scene is a function of its random generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ..photos import Photo

Frames = NDArray[np.uint8]
Image = NDArray[np.uint8]
Pixels = NDArray[Any]
Values = NDArray[np.floating[Any]]
Reader = Callable[[Photo], Image]

STATIC_SHARE = 0.25
CUT_SHARE = 0.12
LEAST_ZOOM, MOST_ZOOM = 0.6, 1.7
"""Photographs are resized by a factor between these."""
MARGIN = 1.8
"""How much larger than a frame the part of a photograph is that the camera moves over."""
LAYER_COUNTS = (0, 0, 0, 1, 1, 2)
"""How many layers move before the background, one of these at random."""


@dataclass(frozen=True)
class Motion:
    """Where a camera looks, for each frame: centre in pixels of the picture, angle, enlargement."""

    x: Values
    y: Values
    angle: Values  # radians
    zoom: Values

    def matrix(self, index: int, width: int, height: int) -> NDArray[np.float64]:
        """The 2×3 affine map from pixels of frame `index` to pixels of the picture."""
        turn = np.exp(1j * self.angle[index]) / self.zoom[index]
        centre = complex(self.x[index], self.y[index]) - turn * complex(width - 1, height - 1) / 2
        return np.array([[turn.real, -turn.imag, centre.real], [turn.imag, turn.real, centre.imag]])


def scene(
    rng: np.random.Generator,
    photos: Sequence[Photo],
    probability: NDArray[np.float64],
    read: Reader,
    size: tuple[int, int],
    count: int,
) -> Frames:
    """A sequence of `count` frames: uint8 T×H×W×3 RGB of `size` = (width, height) pixels.

    Photographs are drawn by `probability` and read by `read`. A share of the scenes does not move,
    a share has a cut to another photograph.
    """
    if count >= 4 and rng.random() < CUT_SHARE:
        cut = int(rng.integers(2, count - 1))
        parts = [cut, count - cut]
    else:
        parts = [count]
    made = [_shot(rng, photos, probability, read, size, part) for part in parts]
    return np.concatenate(made)


def _shot(
    rng: np.random.Generator,
    photos: Sequence[Photo],
    probability: NDArray[np.float64],
    read: Reader,
    size: tuple[int, int],
    count: int,
) -> Frames:
    def picture() -> Image:
        return read(photos[int(rng.choice(len(photos), p=probability))])

    width, height = size
    background = _resized(rng, picture(), size)
    still = rng.random() < STATIC_SHARE
    motion = _motion(rng, background.shape[1], background.shape[0], size, count, still=still)
    frames = np.stack([seen_at(background, motion, index, size) for index in range(count)])
    for _ in range(int(rng.choice(LAYER_COUNTS))):
        patch, alpha = _cut_out(rng, _resized(rng, picture(), size), size)
        path = _layer_motion(rng, patch.shape[1], patch.shape[0], size, count)
        for index in range(count):
            matrix = path.matrix(index, width, height)
            front = _warp(patch, matrix, size, cv2.BORDER_REFLECT_101)
            mask = _warp(alpha, matrix, size, cv2.BORDER_CONSTANT, cv2.INTER_LINEAR)[..., None]
            blended = frames[index] * (1 - mask) + front * mask
            frames[index] = np.rint(blended).astype(np.uint8)
    return frames


def _resized(rng: np.random.Generator, image: Image, size: tuple[int, int]) -> Image:
    """A random part of the picture, reduced or enlarged, mostly larger than a frame of `size`.

    Photographs hold more detail for each pixel than footage does, hence the enlargement.
    """
    least = max(size[0] / image.shape[1], size[1] / image.shape[0])
    low = min(max(LEAST_ZOOM, 1.1 * least), MOST_ZOOM)
    factor = float(np.exp(rng.uniform(math.log(low), math.log(MOST_ZOOM))))
    part = []
    for has, shown in zip(image.shape[:2], size[::-1], strict=True):
        side = min(has, math.ceil(shown * MARGIN / factor))
        first = int(rng.integers(has - side + 1))
        part.append(slice(first, first + side))
    image = np.ascontiguousarray(image[part[0], part[1]])
    if 0.95 < factor < 1.05:
        return image
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    shape = [round(side * factor) for side in image.shape[:2]]
    small = F.interpolate(pixels, size=shape, mode="bicubic", antialias=True, align_corners=False)
    return small[0].permute(1, 2, 0).round_().clamp_(0, 255).to(torch.uint8).numpy()


def _motion(
    rng: np.random.Generator,
    width: int,
    height: int,
    size: tuple[int, int],
    count: int,
    *,
    still: bool,
) -> Motion:
    """A camera's path over a picture of width × height pixels, within it where it is large."""
    time = np.arange(count) - count / 2
    room = [max(0.0, (side - seen) / 2) for side, seen in zip((width, height), size, strict=True)]
    x0, y0 = (
        side / 2 + rng.uniform(-1, 1) * r for side, r in zip((width, height), room, strict=True)
    )
    if still:  # on whole pixels, so that nothing is interpolated
        x, y = (
            np.full(count, round(centre) + (seen - 1) / 2 % 1)
            for centre, seen in zip((x0, y0), size, strict=True)
        )
        return Motion(x, y, np.zeros(count), np.ones(count))
    speed = float(np.exp(rng.uniform(math.log(0.2), math.log(10)))) * (rng.random() < 0.8)
    heading = rng.uniform(0, 2 * math.pi)
    shake = rng.uniform(0, 1.2) * (rng.random() < 0.4)

    def path(centre: float, share: float, side: int, seen: int) -> Values:
        wobble = np.sin(time * rng.uniform(0.1, 0.9) + rng.uniform(0, 6)) * shake
        return _inside(centre + speed * share * time + wobble, seen / 2, side - seen / 2)

    x = path(x0, math.cos(heading), width, size[0])
    y = path(y0, math.sin(heading), height, size[1])
    turning = rng.uniform(-0.006, 0.006) * (rng.random() < 0.3)
    zooming = rng.uniform(-0.008, 0.008) * (rng.random() < 0.35)
    tilt = rng.uniform(-0.05, 0.05) * (rng.random() < 0.3)
    return Motion(x, y, tilt + turning * time, np.exp(zooming * time))


def _inside(path: Values, low: float, high: float) -> Values:
    """The path shifted into [low, high]; centred on it where it is longer."""
    least, most = float(path.min()), float(path.max())
    if most - least > high - low:
        shift = (low + high - most - least) / 2
    else:
        shift = max(0.0, low - least) - max(0.0, most - high)
    moved: Values = path + shift
    return moved


def _layer_motion(
    rng: np.random.Generator, width: int, height: int, size: tuple[int, int], count: int
) -> Motion:
    """The path of a patch through the frame, as what the frame sees of the patch."""
    time = np.arange(count) - count / 2
    speed, heading = float(np.exp(rng.uniform(math.log(0.3), math.log(12)))), rng.uniform(0, 6.3)
    place = [rng.uniform(-0.35, 0.35) * side for side in size]
    x = width / 2 - place[0] - speed * math.cos(heading) * time
    y = height / 2 - place[1] - speed * math.sin(heading) * time
    return Motion(x, y, rng.uniform(-0.01, 0.01) * time, np.exp(rng.uniform(-0.006, 0.006) * time))


def _cut_out(rng: np.random.Generator, image: Image, size: tuple[int, int]) -> tuple[Image, Pixels]:
    """A patch of a picture and its opacity: a blob with an edge about a pixel wide."""
    sides = [
        int(min(length, rng.uniform(0.15, 0.55) * of))
        for length, of in zip(image.shape[1::-1], size, strict=True)
    ]
    left, top = (
        int(rng.integers(length - side + 1))
        for length, side in zip(image.shape[1::-1], sides, strict=True)
    )
    patch = np.ascontiguousarray(image[top : top + sides[1], left : left + sides[0]])
    angles = np.linspace(0, 2 * math.pi, 64, endpoint=False)
    waves = [
        rng.uniform(0, 0.2 / k) * np.cos(k * angles + rng.uniform(0, 6.3)) for k in (1, 2, 3, 5)
    ]
    radius = 0.75 + np.sum(waves, axis=0)
    radius = np.minimum(radius / radius.max(), 1) * 0.48
    outline = np.stack(
        [(0.5 + radius * np.cos(angles)) * sides[0], (0.5 + radius * np.sin(angles)) * sides[1]], 1
    )
    alpha = np.zeros(patch.shape[:2], np.float32)
    cv2.fillPoly(alpha, [np.rint(outline).astype(np.int32)], 1.0)
    return patch, cv2.GaussianBlur(alpha, (0, 0), 0.8)


def seen_at(picture: Image, motion: Motion, index: int, size: tuple[int, int]) -> Image:
    """What a camera that moves so shows of a picture in its frame `index`, of that size."""
    seen: Image = _warp(picture, motion.matrix(index, *size), size, cv2.BORDER_REFLECT_101)
    return seen


def _warp(
    picture: Pixels,
    matrix: NDArray[np.float64],
    size: tuple[int, int],
    border: int,
    interpolation: int = cv2.INTER_LANCZOS4,
) -> Pixels:
    flags = interpolation | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, matrix, size, flags=flags, borderMode=border)
