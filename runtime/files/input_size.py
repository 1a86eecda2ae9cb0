"""How large inputs are, by their headers, and so how much larger a size makes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...common.errors import FrameliftError
from ...common.images import is_image, read_outline
from ...common.notes import silent
from ..video.clip.fit import Scaling, factor_of, known_factor
from .jobs import Job

_MOST_FILES = 100
"""Of more, the headers are not read before the work begins."""


def largest_factor(scaling: Scaling | None, jobs: Sequence[Job]) -> float | None:
    """The most that an input becomes larger; `None` where that is not known or nothing is asked.

    Inputs that cannot be read count for nothing: their job says why.
    """
    if scaling is None or (known := known_factor(scaling)) is not None:
        return None if scaling is None else known
    if len(jobs) > _MOST_FILES:
        return None
    sizes = [size for job in jobs if (size := _size_of(job)) is not None]
    return max((float(factor_of(scaling, *size)) for size in sizes), default=None)


def factor_for(scaling: Scaling, path: Path) -> float | None:
    """How much larger a size makes one file; `None` of one that cannot be read."""
    size = _size_of_file(path, is_image=is_image(path))
    return None if size is None else float(factor_of(scaling, *size))


def _size_of(job: Job) -> tuple[int, int] | None:
    path = job.images.files[0] if job.images else job.source
    return _size_of_file(path, is_image=is_image(path) or job.is_image)


def _size_of_file(path: Path, *, is_image: bool) -> tuple[int, int] | None:
    try:
        if is_image:
            outline = read_outline(path)
            return outline.width, outline.height
        return _size_of_video(path)
    except (FrameliftError, ValueError):
        return None


def _size_of_video(path: Path) -> tuple[int, int] | None:
    from ..video.clip.input_file import main_video, open_input

    with open_input(path) as container:
        stream = main_video(container, silent)
        size = stream.codec_context.width, stream.codec_context.height
    return size if all(size) else None
