"""One file through an upscaler, as `framelift upscale` and archives make it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...common.notes import Say
from ..upscaler import Upscaler
from .jobs import Job
from .settings import FileSettings

if TYPE_CHECKING:
    from ..video.whole_file import VideoResult


@dataclass(frozen=True)
class ImageResult:
    """An image that was written."""

    path: Path
    width_px: int
    height_px: int


@dataclass(frozen=True)
class Manner:
    """How a file is made, beside the settings."""

    overwrite: bool
    quiet: bool
    """Show no progress."""
    inform: Say
    """Takes lines that `quiet` silences."""
    say: Say
    """Takes lines that a user must see."""


def make_file(
    job: Job, upscaler: Upscaler, settings: FileSettings, manner: Manner
) -> ImageResult | VideoResult:
    """Make the image, video, images or animation that `job` names.

    Raises what `make_image`, `upscale_video`, `upscale_to_images` and `upscale_to_animation` raise.
    """
    make = _make_image if job.is_image else _make_video
    return make(job, upscaler, settings, manner)


# What is needed is imported where it is needed: an image is made without PyAV.
def _make_image(
    job: Job, upscaler: Upscaler, settings: FileSettings, manner: Manner
) -> ImageResult:
    from ..still import ImageOptions, make_image

    size = make_image(
        job.source,
        job.target,
        upscaler,
        ImageOptions(manner.overwrite, not settings.no_metadata, manner.inform),
        factor=settings.factor(),
        compare=settings.compare,
        quiet=manner.quiet,
        say=manner.say,
    )
    return ImageResult(job.target, *size)


def _make_video(
    job: Job, upscaler: Upscaler, settings: FileSettings, manner: Manner
) -> VideoResult:
    clip = job.images or job.source
    convert = settings.convert(upscaler.spec.sha256)
    if job.makes_images or job.makes_animation:
        from ..video_to_images import upscale_to_animation, upscale_to_images

        make = upscale_to_images if job.makes_images else upscale_to_animation
        return make(
            clip,
            job.target,
            upscaler,
            convert,
            overwrite=manner.overwrite,
            quiet=manner.quiet,
            say=manner.say,
        )
    from ..video.whole_file import upscale_video

    return upscale_video(
        clip,
        job.target,
        upscaler,
        settings.encoder(),
        convert,
        overwrite=manner.overwrite,
        quiet=manner.quiet,
        say=manner.say,
    )
