"""Put crops side by side: low resolution, bicubic, each model, original.

python examples/crops.py baby.png 150,120,160,160 crops.png realtime-small-x4 other.onnx
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from framelift.imaging.metrics import psnr
from framelift.imaging.quality import crop_to_multiple, shrink
from framelift.imaging.resize import imresize
from framelift.runtime import Upscaler

Image = NDArray[np.uint8]
ZOOM = 2  # of the crops in the picture


def panel(crop: Image, label: str) -> Image:
    """An enlarged crop with its label under it."""
    big = cv2.resize(crop, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_NEAREST)
    strip = np.full((30, big.shape[1], 3), 255, np.uint8)
    cv2.putText(strip, label, (6, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack((big, strip)).astype(np.uint8, copy=False)


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.argument("window", metavar="X,Y,WIDTH,HEIGHT")
@click.argument("output", type=click.Path(path_type=Path))
@click.argument("models", nargs=-1, required=True)
def main(image: Path, window: str, output: Path, models: tuple[str, ...]) -> None:
    """Shrink IMAGE by the models' scale, upscale it again and write the crops to OUTPUT."""
    x, y, width, height = map(int, window.split(","))
    place = np.s_[y : y + height, x : x + width]
    decoded = cv2.imread(str(image))
    if decoded is None:
        raise click.ClickException(f"{image}: not a readable image")
    panels = []
    for name in models:
        with Upscaler.load(name) as upscaler:
            scale = upscaler.scale
            original = crop_to_multiple(decoded.astype(np.uint8, copy=False), scale)
            small = shrink(original, scale)
            upscaled = upscaler(small)
            label = f"{upscaler.spec.name} {psnr(upscaled[place], original[place]):.2f} dB"
            panels.append(panel(upscaled[place], label))
    nearest = small.repeat(scale, 0).repeat(scale, 1)
    bicubic = imresize(small, scale)
    cubic_label = f"bicubic {psnr(bicubic[place], original[place]):.2f} dB"
    row = [
        panel(nearest[place], "input"),
        panel(bicubic[place], cubic_label),
        *panels,
        panel(original[place], "original"),
    ]
    cv2.imwrite(str(output), np.hstack(row))
    print(output)


if __name__ == "__main__":
    main()
