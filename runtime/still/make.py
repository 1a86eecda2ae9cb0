"""What `framelift upscale` and archives make of an image file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...common.images import read_outline
from ...common.images.writing import DEEP_SUFFIXES
from ...common.notes import Say
from ..upscaler import Upscaler
from ..video.clip.fit import Fit, Scaling, known_factor
from ..video.step import FrameStep
from .animation import is_animation, upscale_animation
from .image import ImageOptions, upscale_image
from .progress import PictureProgress
from .strips import StripUpscaler

_DEEP = 16


def make_image(
    source: Path,
    target: Path,
    upscaler: Upscaler,
    options: ImageOptions = ImageOptions(),  # noqa: B008 - frozen
    *,
    factor: Scaling | None = None,
    compare: bool = False,
    quiet: bool = True,
    say: Say,
) -> tuple[int, int]:
    """Upscale an image file with progress, and return the new width and height in pixels.

    `factor` is the size of the result over that of the source, if not the model's; `compare` puts
    the source beside it.

    Raises what `upscale_image` raises.
    """
    animated = is_animation(source, target)
    keep_depth = not animated and _keeps_depth(source, target, upscaler)
    if keep_depth:
        upscaler = upscaler.at_depth(_DEEP)
    progress = PictureProgress(source.name, quiet=quiet)
    reading = PictureProgress(f"{source.name}, read for the first time", unit="rows", quiet=quiet)
    strips = StripUpscaler(upscaler, progress, options.strips)
    step = FrameStep(strips, factor=factor, compare=compare, reuse=False)
    plain = not compare and factor in (None, upscaler.scale)
    scale = known_factor(factor) or upscaler.scale
    if isinstance(factor, Fit):
        outline = read_outline(source)
        scale = float(factor.factor(outline.width, outline.height))
    try:
        if animated:
            step = FrameStep(upscaler, factor=factor, compare=compare)
            return upscale_animation(
                source, target, step.once, options, scale=scale, progress=progress, say=say
            )
        return upscale_image(
            source,
            target,
            step.once,
            replace(options, reading=reading, seconds=strips.seconds),
            strips=strips if plain else None,
            scale=scale,
            keep_depth=keep_depth,
            say=say,
        )
    finally:
        reading.close()
        progress.close()


def _keeps_depth(source: Path, target: Path, upscaler: Upscaler) -> bool:
    """Whether an image has more than 8 bits per channel, and so can the result and the model's
    frames.
    """
    return (
        target.suffix.lower() in DEEP_SUFFIXES
        and read_outline(source).is_deep
        and upscaler.deep_problem is None
    )
