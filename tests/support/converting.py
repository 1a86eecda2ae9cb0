"""A video through the nearest neighbour to another file."""

from __future__ import annotations

from pathlib import Path

from framelift.runtime.video.whole_file import upscale_video
from framelift.runtime.video.writing.encoders import EncoderOptions

from .clips import Nearest


def convert(source: Path, target: Path, *, scale: int = 2, **options: str | int) -> list[str]:
    notes: list[str] = []
    encoder = EncoderOptions(**options)  # type: ignore[arg-type]
    upscale_video(source, target, Nearest(scale), encoder, quiet=True, say=notes.append)
    return notes
