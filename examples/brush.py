"""Paints the picture that the demonstration style is learnt from; nobody else's work is in it.

    python examples/brush.py examples/brush.jpg

Brush strokes of six colours follow a field of swirls, broad ones first. A stroke is a bundle of
bristles that differ a little in brightness: detail of one to four pixels, as paint has it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 768  # pixels, painted
SHOWN = 384  # pixels, written: strokes of 4 to 17 pixels, which is what VGG's relu2_2 sees at once
SEED = 7
LAYERS = ((1400, 34, 110), (3200, 17, 80), (5200, 9, 52))  # strokes, width and length in pixels
PALETTE_RGB = (
    (16, 28, 72),
    (24, 74, 150),
    (38, 138, 168),
    (128, 190, 176),
    (238, 186, 62),
    (222, 98, 40),
)
WEIGHTS = (0.22, 0.26, 0.2, 0.1, 0.13, 0.09)

Array = NDArray[np.float64]


def smooth_noise(rng: np.random.Generator, cell: float) -> Array:
    """SIDE×SIDE noise of mean 0 and deviation 1 whose features are about `cell` pixels wide."""
    noise = cv2.GaussianBlur(rng.normal(size=(SIDE, SIDE)), (0, 0), cell / 2).astype(np.float64)
    scaled: Array = (noise - noise.mean()) / noise.std()
    return scaled


def stroke(
    start: Array, angle: Array, length: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """The points (x, y) of a path along the field, 2 pixels apart."""
    points = [start]
    for _ in range(int(length * rng.uniform(0.6, 1.2)) // 2):
        x, y = np.clip(points[-1], 0, SIDE - 1).astype(int)
        points.append(points[-1] + 2 * np.array([np.cos(angle[y, x]), np.sin(angle[y, x])]))
    return np.array(points)


def paint(rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture, uint8 SIDE×SIDE×3 BGR."""
    swirls = smooth_noise(rng, 150)
    down, right = np.gradient(swirls)
    angle = np.arctan2(-right, down)  # along the contours: closed swirls
    # Where a colour is likely: neighbouring strokes are often alike, so that shapes appear.
    likely = np.stack([smooth_noise(rng, 120) for _ in PALETTE_RGB], axis=-1)
    canvas = np.full((SIDE, SIDE, 3), PALETTE_RGB[0][::-1], np.uint8)
    for count, width, length in LAYERS:
        for _ in range(count):
            start = rng.uniform(0, SIDE, 2)
            x, y = start.astype(int)
            odds = np.array(WEIGHTS) * np.exp(1.4 * likely[y, x])
            colour = np.array(PALETTE_RGB[rng.choice(len(odds), p=odds / odds.sum())][::-1])
            path = stroke(start, angle, length, rng)
            turn = angle[y, x] + np.pi / 2
            across = np.array([np.cos(turn), np.sin(turn)])
            for offset in np.arange(-width / 2, width / 2, 2.5):
                bristle = np.clip(colour * rng.uniform(0.72, 1.22) + rng.normal(0, 5), 0, 255)
                first = rng.integers(max(1, len(path) // 6))
                line = np.round((path[first:] + across * offset) * 8).astype(np.int32)
                shade = tuple(float(value) for value in bristle)
                cv2.polylines(canvas, [line[:, None]], False, shade, 3, cv2.LINE_AA, shift=3)
    return canvas


def main(target: Path) -> None:
    """Paint and write the picture."""
    picture = paint(np.random.default_rng(SEED))
    shown = cv2.resize(picture, (SHOWN, SHOWN), interpolation=cv2.INTER_AREA)
    if not cv2.imwrite(str(target), shown, [cv2.IMWRITE_JPEG_QUALITY, 90]):
        raise SystemExit(f"{target}: could not be written")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
