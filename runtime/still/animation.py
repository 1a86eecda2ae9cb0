"""Animated GIF, WebP and APNG: every frame upscaled, with its time and its transparency."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...common.errors import InputError, OutputError
from ...common.files import atomic_output
from ...common.images import Picture
from ...common.images.animation import frame_numbers, read_frames
from ...common.images.content.metadata import read_metadata, renewed
from ...common.images.content.png_chunks import read_chunks
from ...common.images.decoding import is_deep
from ...common.images.formats.gif_blocks import gif_fault
from ...common.images.opening import frame_count, opened, opened_header
from ...common.images.writing import JPEG_QUALITY, channels_of, check_image_size
from ...common.notes import Say
from ...common.signals import call_interruptibly
from ..machine.host import available_memory_bytes
from .gif import FASTEST_MS, arranged, in_hundredths, in_palette, is_soft, soft_edges_lost
from .image import ImageOptions, ImageUpscaler, upscale_picture

if TYPE_CHECKING:
    from PIL.Image import Image

ANIMATED_SUFFIXES = (".gif", ".webp", ".png", ".apng")
"""Formats of animations that are read and written, lower case."""
_ANIMATED_FORMATS = ("GIF", "WEBP", "PNG")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Timing:
    """When the frames of an animation are shown."""

    milliseconds: list[int]
    loops: int
    """How often it is played; 0 for ever."""


def is_animation(source: Path, target: Path) -> bool:
    """Whether `source` has frames that follow each other, and `target` can have them.

    A GIF counts with one frame, too, where it stays one.

    Raises InputError: it is no image.
    """
    suffix = target.suffix.lower()
    if suffix not in ANIMATED_SUFFIXES or source.suffix.lower() not in ANIMATED_SUFFIXES:
        return False
    with opened_header(source) as (image, _):
        return image.format in _ANIMATED_FORMATS and (frame_count(image) > 1 or suffix == ".gif")


def upscale_animation(
    source: Path,
    target: Path,
    upscaler: ImageUpscaler,
    options: ImageOptions,
    *,
    scale: float,
    progress: Progress,
    say: Say,
) -> tuple[int, int]:
    """Upscale an animated image file and return the new width and height in pixels.

    GIF counts time in hundredths of a second, and its pixels are opaque or not there at all: a
    line names what changes.

    Raises:
        InputError: a frame is damaged, or the frames need more memory than there is.
        OutputError: the target exists and may not be replaced, or cannot be written.
    """
    with atomic_output(target, overwrite=options.overwrite, source=source) as temporary:
        made, timing, extra = _made(source, target, upscaler, options, scale, progress, say)
        data = call_interruptibly(lambda: encode_animation(target, made, timing, extra, say))
        temporary.write_bytes(data)
    return made[0].size


def _made(
    source: Path,
    target: Path,
    upscaler: ImageUpscaler,
    options: ImageOptions,
    scale: float,
    progress: Progress,
    say: Say,
) -> tuple[list[Image], Timing, dict[str, Any]]:
    """The upscaled frames, their times, and arguments of `save` for what else is known."""
    from PIL import Image as PilImage

    with opened(source) as (image, data):
        if image.format == "GIF" and (fault := gif_fault(data)):
            raise InputError(f"{source}: {fault}; no output was written")
        count = len(frame_numbers(image))
        if is_deep(image):
            say(f"{source.name}: 16 bits per channel are reduced to 8, as in every animation")
        width, height = image.size
        check_image_size(target, round(width * scale), round(height * scale))
        _check_memory(source, image.size, count, scale)
        chunks = list(read_chunks(io.BytesIO(data)))  # none unless it is a PNG
        metadata, _ = read_metadata(image, chunks)
        profile = image.info.get("icc_profile")
        frames: list[Image] = []
        milliseconds: list[int] = []
        for bgr, alpha, duration in read_frames(source, image):
            is_opaque = alpha is None or int(alpha.min()) == 255
            picture = Picture(bgr, None if is_opaque else alpha)
            big = call_interruptibly(partial(upscale_picture, picture, upscaler))
            frames.append(PilImage.fromarray(channels_of(big.bgr, big.alpha, grey=False)))
            milliseconds.append(duration)
            progress(len(frames), count)
        loops = int(image.info.get("loop", 1 if image.format == "GIF" else 0))
    extra: dict[str, Any] = {}
    suffix = target.suffix.lower()
    if profile and suffix != ".gif":
        extra["icc_profile"] = profile
    if options.keep_metadata:
        known = renewed(metadata, *frames[0].size)
        lost = [name for name, value in (("EXIF", known.exif), ("XMP", known.xmp)) if value]
        if suffix == ".gif" and lost:
            say(f"{target.name}: .gif cannot hold {', '.join(lost)} of the source; left out")
        elif known.exif:
            extra["exif"] = b"Exif\0\0" + known.exif
        if known.xmp and suffix == ".webp":
            extra["xmp"] = known.xmp
    return frames, Timing(milliseconds, loops), extra


def _check_memory(source: Path, size: tuple[int, int], count: int, scale: float) -> None:
    needed = round(4 * size[0] * size[1] * scale * scale * (count + 3))
    available = available_memory_bytes()
    if available is not None and needed > available:
        raise InputError(
            f"{source}: its {count} frames ×{scale:g} take about {needed / 1e9:.1f} GB of memory, "
            f"and {available / 1e9:.1f} GB are free; make a video of it, .mp4"
        )


def encode_animation(
    target: Path, frames: list[Image], timing: Timing, extra: dict[str, Any], say: Say
) -> bytes:
    """The bytes of an animated file in the format of the target's suffix.

    `frames` are RGB or RGBA, those of a GIF may be of `in_palette` already; `extra` are further
    arguments of Pillow's `save`. A line names what the format cannot hold.

    Raises OutputError: the format cannot hold them.
    """
    suffix = target.suffix.lower()
    times, options = timing.milliseconds, dict(extra)
    if suffix == ".gif":
        if any(0 < time < FASTEST_MS for time in times):
            say(
                f"{target.name}: browsers slow down a .gif of more than 50 frames per second; "
                ".webp and .apng have no such limit"
            )
        kept, times = in_hundredths(times)
        if times != timing.milliseconds:
            lost = len(frames) - len(kept)
            without = f", and {lost} frames left out that are shorter" if lost else ""
            say(
                f"{target.name}: .gif counts hundredths of a second; frame times are rounded"
                f"{without}"
            )
        frames = [frames[number] for number in kept]
        if any(is_soft(frame) for frame in frames):
            say(soft_edges_lost(target))
        frames = [frame if frame.mode == "P" else in_palette(frame) for frame in frames]
        gif = arranged(frames, times)
        frames, times = gif.images, gif.milliseconds
        options["disposal"] = gif.disposals if len(frames) > 1 else gif.disposals[0]
        if timing.loops != 1:
            options["loop"] = timing.loops
        options["optimize"] = False
    else:
        options["loop"] = timing.loops
        if any(frame.mode == "RGBA" for frame in frames):
            frames = [frame.convert("RGBA") for frame in frames]
        if suffix == ".webp":
            options |= {"quality": JPEG_QUALITY, "method": 2}
        else:
            options["compress_level"] = 3
    name = {".gif": "GIF", ".webp": "WEBP"}.get(suffix, "PNG")
    file = io.BytesIO()
    try:
        frames[0].save(
            file, name, save_all=True, append_images=frames[1:], duration=times, **options
        )
    except MemoryError:
        raise
    except Exception as error:  # encoders raise many kinds
        width, height = frames[0].size
        raise OutputError(
            f"{target}: {len(frames)} frames of {width}×{height} cannot be written ({error})"
        ) from error
    return file.getvalue()
