"""An animated WebP or APNG as a source that plays, from a file or a pipe; FFmpeg reads neither."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from ....common.errors import InputError
from ....common.images.kind import is_animated
from ....common.notes import Say
from ...video.clip.pool import FramePool
from ...video.reading.animation_source import AnimationSource
from .address import Source, SourceKind
from .pipe import PipeReader, spool

_PNG = b"\x89PNG\r\n\x1a\n"
_WEBP_FLAGS, _WEBP_ANIMATED = 20, 2  # where the header of an extended WebP says it
_MOST_BEFORE_PICTURES = 8 << 20  # colour profiles and EXIF come first


def open_animation(
    source: Source, reader: PipeReader | None, pool: FramePool, stack: ExitStack, say: Say
) -> AnimationSource | None:
    """The frames of an animated image, which a pipe has sent wholly; `None` if it is none.

    Raises InputError: it is damaged, or there is no room for the temporary file.
    """
    path: Path | None = None
    if reader is not None and _begins_animated(reader):
        temporary = stack.enter_context(tempfile.TemporaryDirectory(prefix="framelift-"))
        path = Path(temporary, "animation")
        with path.open("wb") as file:
            spool(source, reader, file)
    elif source.kind is SourceKind.FILE and is_animated(source.path):
        path = source.path
    if path is None:
        return None
    try:
        frames = stack.enter_context(AnimationSource(path, shown=source.shown, say=say))
    except InputError as error:
        raise InputError(str(error).replace(str(path), source.shown)) from error
    frames.use_pool(pool)
    return frames


def _begins_animated(reader: PipeReader) -> bool:
    """Whether what comes is an animated WebP or PNG."""
    head = reader.peek(_WEBP_FLAGS + 1)
    if head.startswith(b"RIFF") and head[8:16] == b"WEBPVP8X":
        return bool(head[_WEBP_FLAGS] & _WEBP_ANIMATED)
    if not head.startswith(_PNG):
        return False
    start = len(_PNG)
    while start <= _MOST_BEFORE_PICTURES:
        chunk = reader.peek(8, start)
        if len(chunk) < 8 or chunk[4:] == b"IDAT":
            return False
        if chunk[4:] == b"acTL":
            return True
        start += 12 + int.from_bytes(chunk[:4], "big")
    return False
