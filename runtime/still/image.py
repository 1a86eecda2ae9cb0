"""One image file: read, upscaled, written completely or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

from ...common.files import atomic_output
from ...common.images import (
    Picture,
    Pixels,
    check_image_suffix,
    encode_image,
    read_image,
    read_outline,
)
from ...common.images.content.alpha import bleed
from ...common.images.parts import open_parts
from ...common.images.writing import STRIP_SUFFIXES, channels_of, check_transparency, strip_writer
from ...common.libraries.opencv import load_cv2
from ...common.notes import Say, silent
from ...common.signals import call_interruptibly
from ..session.grey import is_grey
from ..tiling import TilePlan
from .needs import Needs
from .rows import FileRows, HeldRows, PartDone, Rows
from .strips import STRIPS, StripSizes, StripUpscaler, enlarged_alpha

ImageUpscaler = Callable[[Pixels], Pixels]
"""What is needed of an `Upscaler`: H×W×3 BGR in, the same larger out."""

_LINES = 256  # given to a writer at once


@dataclass(frozen=True)
class ImageOptions:
    """How an image is made. `inform` takes lines about large pictures: what those of so many pixels
    in the result take is printed before the work, with the time that `seconds` expects for an input
    of a height and width. `reading` takes the rows that were looked at before the work, at first 0,
    and all.
    """

    overwrite: bool = False
    keep_metadata: bool = True
    inform: Say = silent
    large_pixels: int = 64_000_000
    parts_pixels: int = 32_000_000
    """From so many pixels on, a PNG or TIFF is read strip by strip, too."""
    strips: StripSizes = STRIPS
    seconds: Callable[[int, int], float | None] = lambda height, width: None
    reading: PartDone = lambda done, total: None


def upscale_image(
    source: Path,
    target: Path,
    upscaler: ImageUpscaler,
    options: ImageOptions = ImageOptions(),
    *,
    strips: StripUpscaler | None = None,
    scale: float | None = None,
    keep_depth: bool = False,
    say: Say,
) -> tuple[int, int]:
    """Upscale an image file and return the new width and height in pixels.

    `strips` does what `upscaler` does, piece by piece, for formats that can be written so. `scale`
    is the size of the result over that of the source, if it is known. With `keep_depth`, an image
    of 16 bits per channel stays one; `upscaler` takes uint16 then.

    Raises:
        InputError: the source is no image, damaged, has pixels of neither 8 nor 16 bits, or it and
            its result need more memory than there is.
        OutputError: the target exists and may not be replaced, cannot be written, has an unknown
            suffix, or cannot hold the source's transparency.
    """
    check_image_suffix(target)
    with atomic_output(target, overwrite=options.overwrite, source=source) as temporary:
        outline = read_outline(source)
        plan = None
        if strips is not None and strips.is_possible and target.suffix.lower() in STRIP_SUFFIXES:
            plan = strips.plan(outline.height, outline.width)
        parts = None
        if plan is not None and outline.width * outline.height >= options.parts_pixels:
            parts = open_parts(source, keep_depth=keep_depth, say=say)
            if parts is not None and not options.keep_metadata:
                parts = parts.without_metadata()
        if scale is not None:
            deep = keep_depth and outline.is_deep
            needs = Needs(
                source,
                target,
                outline.width,
                outline.height,
                scale,
                plan,
                strips,
                2 if deep else 1,
                part_rows=None if parts is None else parts.files.part_rows,
            )
            call_interruptibly(
                partial(needs.check, options.large_pixels, options.inform, options.seconds)
            )
        # In another thread, so that Ctrl-C need not wait for the network. The file is written
        # here: a thread that was left behind must not bring the temporary file back.
        if parts is not None and plan is not None and strips is not None:
            rows = call_interruptibly(partial(FileRows, parts, strips.reach, options.reading))
            check_transparency(source, target, rows.head)
            return _in_strips(temporary, target, rows, strips, plan, say)
        picture = call_interruptibly(lambda: _read(source, target, options, keep_depth, say))
        if plan is not None and strips is not None:
            return _in_strips(temporary, target, HeldRows(picture), strips, plan, say)

        def make() -> tuple[bytes, tuple[int, int]]:
            big = upscale_picture(picture, upscaler)
            height, width = big.bgr.shape[:2]
            return encode_image(target, big, say=say), (width, height)

        encoded, size = call_interruptibly(make)
        temporary.write_bytes(encoded)
    return size


def upscale_picture(picture: Picture, upscaler: ImageUpscaler) -> Picture:
    """Colour goes through the network, transparency through a cubic resize."""
    alpha = picture.alpha
    small = picture.bgr if alpha is None else bleed(picture.bgr, alpha)
    big = upscaler(small)
    if alpha is not None:
        cv2 = load_cv2()
        size = big.shape[1], big.shape[0]
        alpha = cast("Pixels", cv2.resize(alpha, size, interpolation=cv2.INTER_CUBIC))
    # A style adds colour to a grey picture.
    return replace(picture, bgr=big, alpha=alpha, is_grey=picture.is_grey and is_grey(big))


def _read(source: Path, target: Path, options: ImageOptions, keep_depth: bool, say: Say) -> Picture:
    picture = read_image(source, keep_depth=keep_depth, say=say)
    check_transparency(source, target, picture)
    return picture if options.keep_metadata else picture.without_metadata()


def _in_strips(
    temporary: Path,
    target: Path,
    rows: Rows,
    strips: StripUpscaler,
    plan: TilePlan,
    say: Say,
) -> tuple[int, int]:
    scale, head = strips.scale, rows.head
    with temporary.open("wb") as file:
        size = rows.width * scale, rows.height * scale
        writer = strip_writer(file, target, head, *size, say=say)
        start = 0
        for strip in strips.run(rows, plan, call_interruptibly):
            stop = start + len(strip) // scale
            part = enlarged_alpha(rows, start, stop, scale)
            for top in range(0, len(strip), _LINES):
                lines = slice(top, top + _LINES)
                seen = None if part is None else part[lines]
                writer.write(channels_of(strip[lines], seen, grey=head.is_grey))
            start = stop
        writer.close()
    return size
