"""Compare models on footage: scores after compression, and crops of the clips themselves.

python examples/footage.py scores --model realtime-small-x4 --model other.onnx clip.mp4 ...
python examples/footage.py crops --model realtime-small-x4 crops.png clip.mp4@10:40,30,110,70 ...
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import click
import cv2
import numpy as np
from numpy.typing import NDArray

from framelift.benchmarks.quality import feature_distance
from framelift.imaging.atomic import write_atomic
from framelift.imaging.errors import ConfigError, FrameliftError
from framelift.imaging.quality import compare, crop_to_multiple, shrink
from framelift.imaging.resize import imresize
from framelift.runtime import Upscaler
from framelift.runtime.images import Picture, encode_image
from framelift.runtime.video.file_source import FileSource

Image = NDArray[np.uint8]
STRIDE = 4  # frames
CRFS = (18, 23, 30)
DIGITS = (2, 4, 0)  # after the point: of PSNR, SSIM, distance


@click.group()
def main() -> None:
    """Compare models on footage."""


MODELS = click.option("--model", "models", multiple=True, required=True, help="Name or .onnx file.")


@main.command()
@click.argument("clips", nargs=-1, required=True, type=click.Path(path_type=Path))
@MODELS
@click.option("--frames", "count", default=6, show_default=True, type=click.IntRange(1),
              help="Of each clip, every fourth.")  # fmt: skip
@click.option("--vgg", metavar="SOURCE", help="VGG-16 weights: adds the distance at relu2_2.")
def scores(clips: tuple[Path, ...], models: tuple[str, ...], count: int, vgg: str | None) -> None:
    """Shrink the CLIPS, compress them by x264, upscale; mean Y-PSNR / Y-SSIM, and with --vgg /
    distance of features (lower is nearer).
    """
    distance = None if vgg is None else feature_distance(vgg)
    with ExitStack() as stack:
        upscalers, scale = opened(models, stack)
        originals = [
            [crop_to_multiple(frame, 2 * scale) for frame in taken(frames(clip), count)]
            for clip in clips
        ]
        print("CRF", "bicubic", *(upscaler.spec.name for upscaler in upscalers), sep=" | ")
        for crf in CRFS:
            found: list[list[list[float]]] = [[] for _ in range(1 + len(models))]
            for clip in originals:
                small = compressed([shrink(frame, scale) for frame in clip], crf)
                for given, wanted in zip(small, clip, strict=True):
                    results = [imresize(given, scale), *(upscale(given) for upscale in upscalers)]
                    for row, result in zip(found, results, strict=True):
                        quality = compare("", result, wanted, scale)
                        row.append([quality.psnr_db, quality.ssim])
                        if distance is not None:
                            row[-1].append(distance(result, wanted, scale))
            means = [np.mean(row, axis=0) for row in found]
            print(crf, *(" / ".join(map(shown, mean, DIGITS)) for mean in means), sep=" | ")


@main.command()
@click.argument("output", type=click.Path(path_type=Path))
@click.argument("places", nargs=-1, required=True, metavar="CLIP@FRAME:X,Y,WIDTH,HEIGHT...")
@MODELS
def crops(output: Path, places: tuple[str, ...], models: tuple[str, ...]) -> None:
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


def shown(score: float, digits: int) -> str:
    """A score with so many digits after the point."""
    return f"{score:,.{digits}f}"


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
            yield frame.bgr_u8


def taken(clip: Iterator[Image], count: int) -> list[Image]:
    """The frames of a clip that are compared."""
    return list(islice(clip, 0, count * STRIDE, STRIDE))


def compressed(images: list[Image], crf: int) -> list[Image]:
    """What x264 makes of the images as frames of a video at 25 fps."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "small.mp4"
        with av.open(str(file), "w") as container:
            stream = container.add_stream("libx264", 25, options={"crf": str(crf)})
            stream.height, stream.width = images[0].shape[:2]
            stream.pix_fmt = "yuv420p"
            for image in images:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
            container.mux(stream.encode())
        return list(frames(file))


if __name__ == "__main__":
    try:
        main()
    except FrameliftError as error:
        raise SystemExit(f"Error: {error}") from None
