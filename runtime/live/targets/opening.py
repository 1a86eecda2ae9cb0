"""Opens what the frames go to, but for a window: a file, a stream, a pipe or nothing."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from io import FileIO

from ....common.errors import OutputError
from ....common.files import atomic_output
from ....common.notes import Say
from ....common.signals import call_interruptibly
from ...video.clip.frame import ClipFacts, Frame
from ...video.clip.pixel_format import PixelFormat
from ...video.pipeline import FrameSink
from ...video.writing.encoders import RAW_FORMATS, EncoderOptions
from ...video.writing.file_sink import FileSink
from ...video.writing.sound_feed import SoundFeed
from .address import Target, TargetKind
from .raw_sink import RawSink
from .stream_sink import Publisher, StreamSink, check_streamed
from .y4m_sink import Y4mSink


class NullSink:
    """Counts frames and throws them away, to see how fast the rest is; a `FrameSink`."""

    def write(self, frame: Frame) -> None:
        pass

    def finish(self) -> None:
        pass


@dataclass(frozen=True)
class Outgoing:
    """What is sent to a target."""

    facts: ClipFacts
    """Of the source."""
    size_px: tuple[int, int]
    encoder: EncoderOptions
    sound: SoundFeed | None = None
    stored: PixelFormat | None = None
    """The pixel format of Y4M or raw frames."""


def open_sink(
    target: Target, outgoing: Outgoing, stack: ExitStack, *, overwrite: bool, say: Say
) -> FrameSink:
    """Open the target; `stack` closes it. Raises OutputError: it cannot be written."""
    facts, size_px = outgoing.facts, outgoing.size_px
    encoder, sound, stored = outgoing.encoder, outgoing.sound, outgoing.stored
    if target.kind is TargetKind.FILE:
        temporary = stack.enter_context(atomic_output(target.path, overwrite=overwrite))
        return stack.enter_context(
            FileSink(temporary, facts, size_px, encoder, sound, shown_as=target.path, say=say)
        )
    if target.kind is TargetKind.STREAM:
        check_streamed(target, size_px, encoder)
        publisher = Publisher(target)
        stack.callback(publisher.kill)
        publisher.wait_for_player(say)
        return stack.enter_context(
            call_interruptibly(lambda: StreamSink(publisher, facts, size_px, encoder, sound))
        )
    if target.kind is TargetKind.Y4M:
        if sys.stdout is None:  # Python's word for one that was closed before it started
            raise OutputError(f"{target.shown}: is closed; send it to a pipe or a file")
        stream = stack.enter_context(FileIO(os.dup(sys.stdout.fileno()), "wb"))
        if stored is not None and stored.name in RAW_FORMATS:
            return RawSink(stream, facts, size_px, target.shown, stored, say)
        return Y4mSink(stream, facts, size_px, target.shown, say, stored=stored)
    return NullSink()
