"""Opens what a clip is made of: a video file, or the images of a sequence."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ....common.images.kind import is_animated
from ....common.notes import Say
from ..clip.image_sequence import ImageSequence
from .animation_source import AnimationSource
from .clip_source import ClipSource
from .file_source import FileSource
from .image_source import ImageSource
from .options import ReadOptions

ClipInput = Path | ImageSequence


def open_clip(clip: ClipInput, options: ReadOptions, say: Say) -> ClipSource:
    """Open a clip. Raises what `FileSource` and `ImageSource` raise."""
    if isinstance(clip, ImageSequence):
        return ImageSource(clip, options, say=say)
    if is_animated(clip):
        return AnimationSource(clip, options, say=say)
    return FileSource(clip, options, say=say)


def path_of(clip: ClipInput) -> Path:
    """The file, or the pattern of the images."""
    return clip.pattern if isinstance(clip, ImageSequence) else clip


def identity_of(clip: ClipInput) -> dict[str, object]:
    """What distinguishes a clip from another one of the same name, as JSON."""
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
