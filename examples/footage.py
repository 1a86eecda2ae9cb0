"""Compare models on crops of clips as they are, side by side.

python examples/footage.py --model realtime-small-x4 crops.png clip.mp4@10:40,30,110,70 ...
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from framelift.common.errors import ConfigError, FrameliftError
from framelift.common.files import write_atomic
from framelift.common.images import Picture, encode_image
from framelift.imaging.resize import imresize
from framelift.runtime import Upscaler
from framelift.runtime.video.reading.file_source import FileSource

Image = NDArray[np.uint8]


MODELS = click.option("--model", "models", multiple=True, required=True, help="Name or .onnx file.")


@click.command()
@click.argument("output", type=click.Path(path_type=Path))
@click.argument("places", nargs=-1, required=True, metavar="CLIP@FRAME:X,Y,WIDTH,HEIGHT...")
@MODELS
def main(output: Path, places: tuple[str, ...], models: tuple[str, ...]) -> None:
    """Upscale a frame of each clip as it is; a row of crops each: bicubic, then the models."""
    rows = []
    with ExitStack() as stack:
        upscalers, scale = opened(models, stack)
        for place in places:
            frame, (x, y, width, height) = placed(place)
            x, y, width, height = (scale * side for side in (x, y, width, height))
            results = [imresize(frame, scale), *(upscale(frame) for upscale in upscalers)]
            rows.append(np.hstack([r[y : y + height, x : x + width] for r in results]))
    strip = np.full((26, rows[0].shape[1], 3), 255, np.uint8)
    for column, name in enumerate(["bicubic", *models]):
        left = column * rows[0].shape[1] // (1 + len(models)) + 6
        cv2.putText(strip, name, (left, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, 16)
    picture = Picture(np.vstack([*rows, strip]))
    write_atomic(output, encode_image(output, picture, say=print))
    print(output)


def opened(models: tuple[str, ...], stack: ExitStack) -> tuple[list[Upscaler], int]:
    """The models, until the stack is closed, and their scale."""
    upscalers = [stack.enter_context(Upscaler.load(name)) for name in models]
    scales = {upscaler.scale for upscaler in upscalers}
    if len(scales) > 1:
        raise ConfigError("the models have different scales")
    return upscalers, scales.pop()


def placed(place: str) -> tuple[Image, list[int]]:
    """The frame that CLIP@FRAME:X,Y,WIDTH,HEIGHT names, and the four last numbers."""
    found = re.fullmatch(r"(.+)@(\d+):(\d+),(\d+),(\d+),(\d+)", place)
    if found is None:
        raise ConfigError(f"{place}: not CLIP@FRAME:X,Y,WIDTH,HEIGHT")
    number, x, y, width, height = map(int, found.groups()[1:])
    frame = next(islice(frames(Path(found[1])), number, None), None)
    if frame is None:
        raise ConfigError(f"{found[1]} has no frame {number}")
    rows, columns = frame.shape[:2]
    if not (0 < width <= columns - x and 0 < height <= rows - y):
        raise ConfigError(f"{place}: not within the frame, which is {columns}×{rows}")
    return frame, [x, y, width, height]


def frames(clip: Path) -> Iterator[Image]:
    """All frames, uint8 BGR."""
    with FileSource(clip) as source:
        for frame in source:
            yield frame.bgr


if __name__ == "__main__":
    try:
        main()
    except FrameliftError as error:
        raise SystemExit(f"Error: {error}") from None
