"""Opens what a clip is made of: a video file, or the images of a sequence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from ....common.images.kind import is_animated
from ....common.notes import Say
from ..clip.frame import ClipFacts, Frame
from ..clip.image_sequence import ImageSequence
from ..clip.pool import FramePool
from .animation_source import AnimationSource
from .file_source import FileSource
from .image_source import ImageSource
from .options import ReadOptions

ClipInput = Path | ImageSequence


class ClipSource(Protocol):
    """The frames of a clip; see `FileSource`."""

    facts: ClipFacts

    @property
    def stream_index(self) -> int | None:
        """The index of the video stream; `None` if nothing is to be copied beside it."""

    @property
    def start_seconds(self) -> Fraction:
        """The time in the input, in seconds, that the frames' time 0 is."""

    def use_pool(self, pool: FramePool, *, keep_alpha: bool = False) -> None:
        """Take arrays from this pool."""

    def __iter__(self) -> Iterator[Frame]:
        """Each frame once, in order."""

    def __enter__(self) -> Self:
        """The source itself."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""


def open_clip(clip: ClipInput, options: ReadOptions, say: Say) -> ClipSource:
    """Open a clip. Raises what `FileSource` and `ImageSource` raise."""
    if isinstance(clip, ImageSequence):
        return ImageSource(
            clip,
            span=options.span,
            after_pts=options.after_pts,
            context=options.context,
            assume_transfer=options.assume_transfer,
            say=say,
        )
    if is_animated(clip):
        return AnimationSource(
            clip,
            span=options.span,
            after_pts=options.after_pts,
            context=options.context,
            say=say,
        )
    return FileSource(clip, options, say=say)


def path_of(clip: ClipInput) -> Path:
    """The file, or the pattern of the images."""
    return clip.pattern if isinstance(clip, ImageSequence) else clip


def identity_of(clip: ClipInput) -> dict[str, Any]:
    """What tells a clip from another one of the same name, as JSON."""
    if isinstance(clip, ImageSequence):
        states = [(path.name, (s := path.stat()).st_size, s.st_mtime_ns) for path in clip.files]
        digest = hashlib.sha256(repr(states).encode()).hexdigest()
        return {
            "source": str(clip.pattern.absolute()),
            "images": digest,
            "rate": str(clip.rate),
        }
    status = clip.stat() if clip.exists() else None
    return {
        "source": str(clip.resolve()),
        "size": status.st_size if status else 0,
        "modified_ns": status.st_mtime_ns if status else 0,
    }
