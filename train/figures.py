"""The figure of docs/perceptual-losses.md: how far four copies are by pixels and features.

python -m framelift.train.figures examples/raccoon.jpg VGG docs/images/shift-versus-blur.png

The paper's introduction argues that a picture moved by one pixel looks the same and yet is far away
per pixel. Copies of equal per-pixel loss are made here, and their feature loss is measured.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..common.errors import FrameliftError, InputError, OutputError
from ..common.files import write_atomic
from .data.photos import usable_rgb
from .losses.vgg import VggFeatures, load_vgg_weights

Picture = NDArray[np.float64]

BORDER = 40
"""Pixels cut off each side, so that neither the shift nor a filter shows an edge."""


@dataclass(frozen=True)
class Copy:
    """A changed copy of a photograph, float H×W×3 RGB in 0–255, and how far it is from it."""

    name: str
    picture: Picture
    mse: float  # per pixel, in squared 8-bit codes
    features: dict[str, float]  # feature reconstruction loss by layer


def copies_of_equal_error(photo: NDArray[np.uint8]) -> dict[str, Picture]:
    """The photograph, itself moved one pixel to the right, and others as far away per pixel.

    Keys: original, shifted, blurred, noisy, darker. Copies are not rounded to whole codes, so that
    the errors agree.
    """
    image = photo.astype(np.float64)
    original = _inner(image)
    shifted = _inner(np.roll(image, 1, axis=1))
    error = _mse(shifted, original)
    noise = np.random.default_rng(0).standard_normal(image.shape)

    def blurred(sigma: float) -> Picture:
        return _inner(np.asarray(cv2.GaussianBlur(image, (0, 0), sigma)))

    def noisy(sigma: float) -> Picture:
        return _inner((image + sigma * noise).clip(0, 255))

    def darker(codes: float) -> Picture:
        return _inner((image - codes).clip(0, 255))

    return {
        "original": original,
        "shifted": shifted,
        "blurred": _of_error(blurred, error, original, 0.2, 20),
        "noisy": _of_error(noisy, error, original, 0, 100),
        "darker": _of_error(darker, error, original, 0, 100),
    }


def measure(pictures: dict[str, Picture], vgg: str) -> list[Copy]:
    """Losses of each picture against the one named "original", at every layer of the VGG file.

    Raises CheckpointError if the file cannot be used.
    """
    weights = load_vgg_weights(vgg)
    network = VggFeatures(weights.layers, weights)

    def features(picture: Picture) -> dict[str, torch.Tensor]:
        rgb = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32))
        with torch.inference_mode():
            found: dict[str, torch.Tensor] = network(rgb[None] / 255)
        return found

    original = pictures["original"]
    wanted = features(original)
    copies = []
    for name, picture in pictures.items():
        got = features(picture)
        distances = {layer: float((got[layer] - wanted[layer]).square().mean()) for layer in wanted}
        copies.append(Copy(name, picture, _mse(picture, original), distances))
    return copies


def table(copies: Sequence[Copy]) -> str:
    """The losses as Markdown."""
    layers = list(copies[0].features)
    lines = [f"| copy | squared error | {' | '.join(layers)} |", "|---" * (len(layers) + 2) + "|"]
    for copy in copies[1:]:
        values = " | ".join(f"{copy.features[layer]:.0f}" for layer in layers)
        lines.append(f"| {copy.name} | {copy.mse:.1f} | {values} |")
    return "\n".join(lines)


def draw(copies: Sequence[Copy], centre: tuple[int, int], side: int = 110) -> NDArray[np.uint8]:
    """The copies side by side, RGB: one magnified detail around `centre` (row, column) and its
    losses at the deepest layer."""
    deepest = list(copies[0].features)[-1]
    panels = []
    for copy in copies:
        height, width = copy.picture.shape[:2]
        top = min(max(0, centre[0] - side // 2), height - side)
        left = min(max(0, centre[1] - side // 2), width - side)
        detail = copy.picture[top : top + side, left : left + side].round().astype(np.uint8)
        label = np.full((58, 2 * side, 3), 255, np.uint8)
        lines = [copy.name]
        if copy.name != "original":
            lines.append(f"L2 {copy.mse:.0f}   {deepest} {copy.features[deepest]:.0f}")
        for row, line in enumerate(lines):
            cv2.putText(
                label,
                line,
                (6, 22 + 24 * row),
                cv2.FONT_HERSHEY_SIMPLEX,
                0.55,
                (20, 20, 20),
                1,
                cv2.LINE_AA,
            )
        panels.append(np.vstack([detail.repeat(2, 0).repeat(2, 1), label]))
    return np.hstack(panels)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the figure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m framelift.train.figures")
    parser.add_argument("photo", type=Path)
    parser.add_argument("vgg", help="torchvision, a .pth or a .npz file")
    parser.add_argument("out", type=Path, help="the PNG file to write")
    parser.add_argument("--centre", type=int, nargs=2, default=(270, 540), metavar="PX")
    options = parser.parse_args(arguments)
    photo = usable_rgb(options.photo)
    if isinstance(photo, str):
        raise InputError(f"{options.photo}: {photo}")
    copies = measure(copies_of_equal_error(photo), options.vgg)
    coded, data = cv2.imencode(".png", draw(copies, tuple(options.centre))[:, :, ::-1])
    if not coded:
        raise OutputError(f"{options.out}: the figure could not be encoded")
    write_atomic(options.out, data.tobytes())
    sys.stdout.write(table(copies) + "\n")


def _inner(image: Picture) -> Picture:
    return image[BORDER:-BORDER, BORDER:-BORDER]


def _mse(a: Picture, b: Picture) -> float:
    return float(np.square(a - b).mean())


def _of_error(
    change: Callable[[float], Picture], error: float, original: Picture, low: float, high: float
) -> Picture:
    """What `change` makes at the strength whose squared error is `error`, found by bisection."""
    for _ in range(30):
        middle = (low + high) / 2
        if _mse(change(middle), original) < error:
            low = middle
        else:
            high = middle
    return change(high)


if __name__ == "__main__":
    try:
        main()
    except FrameliftError as error:
        sys.exit(str(error))
