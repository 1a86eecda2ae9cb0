"""Encodes frames into segments, from which an interrupted run continues."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import av
from av.codec.context import Flags

from ....common.errors import OutputError
from ....common.notes import Say, say_on_stderr
from ....common.scheduling import unchanged_scheduling
from ..clip.bgr import FromBgr
from ..clip.frame import ClipFacts, Frame
from ..writing.dynamic_hdr import DynamicHdr
from ..writing.encoders import EncoderOptions
from ..writing.stored import as_stored, coded_size, configure, options_for, output_errors
from .segments import Coded, Found, WorkFolder
from .unfinished import Unfinished

SEGMENT_FRAMES = 250
"""An encoder's usual distance of key frames: segments of this length cost no quality."""
KEEPING_SHARE = 0.25
"""Keeping the frames of an unfinished segment may take this share of the time of making them.
Frames that are made faster are made again instead."""


class SegmentSink:
    """See `pipeline.FrameSink`. Each segment has an encoder of its own, so depends on no other.

    It continues after what was `found`: call `restore` before the first `write`.
    """

    def __init__(
        self,
        folder: WorkFolder,
        found: Found,
        facts: ClipFacts,
        size_px: tuple[int, int],
        options: EncoderOptions,
        *,
        target: Path,
        segment_frames: int = SEGMENT_FRAMES,
        keeping_share: float = KEEPING_SHARE,
        say: Say = say_on_stderr,
    ) -> None:
        options.check_size(target, *size_px)
        if options.codec == "vp9" and options.stored_format.has_alpha:
            raise OutputError(
                f"{target}: VP9 keeps alpha beside its frames, which unfinished work cannot store; "
                "use --codec ffv1 or prores, or leave the alpha out with --pixel-format yuv420p"
            )
        self._folder = folder
        self._number = len(found.segments)
        self._unfinished = Unfinished(
            folder, found.spool, segment_frames, target.name, say, worth=keeping_share
        )
        self._facts = facts = as_stored(facts, options)
        self._size_px = coded_size(size_px, options)
        self._options = options
        self._target = target
        self._segment_frames = segment_frames
        self._from_bgr = FromBgr(options.stored_format.name, facts.colour, self._size_px)
        self._context: av.VideoCodecContext | None = None
        self._durations: dict[int, int] = {}
        self._dynamic_hdr = DynamicHdr(options.encoder.library)
        self._coded: list[Coded] = []

    def restore(self) -> None:
        """Encode the frames of the unfinished segment that was found."""
        size_px, name = self._size_px, self._options.stored_format.name
        with output_errors(self._target):
            for picture in self._unfinished.found(name, size_px):
                self._encode(self._from_bgr.tagged(picture))

    def write(self, frame: Frame) -> None:
        with output_errors(self._target):
            picture = self._from_bgr(frame.bgr, frame.alpha)
            picture.pts, picture.duration = frame.pts, frame.duration
            if not self._facts.hdr.is_dynamic:  # which only the pictures have
                self._unfinished.keep(picture)
            self._dynamic_hdr.note(frame.pts, frame.hdr10_plus)
            self._encode(picture)

    def _encode(self, picture: av.VideoFrame) -> None:
        assert picture.pts is not None
        context = self._context = self._context or self._new_encoder()
        picture.time_base = self._facts.time_base
        self._durations[picture.pts] = picture.duration
        self._take(context.encode(picture))
        if len(self._durations) == self._segment_frames:
            self._complete()

    def finish(self) -> None:
        if self._durations:
            self._complete()

    def _complete(self) -> None:
        assert self._context is not None
        with output_errors(self._target):
            self._take(self._context.encode(None))
        self._folder.add(self._number, self._coded)
        self._number += 1
        self._unfinished.begin(self._number)
        self._context, self._coded = None, []
        self._durations.clear()

    def _take(self, packets: list[av.Packet[av.VideoStream]]) -> None:
        for packet in packets:
            assert packet.pts is not None
            duration = self._durations[packet.pts]
            data = self._dynamic_hdr.put_into_data(packet.pts, bytes(packet))
            self._coded.append(Coded(packet.pts, duration, packet.is_keyframe, data))

    def _new_encoder(self) -> av.VideoCodecContext:
        library = self._options.encoder.library
        context = cast("av.VideoCodecContext", av.CodecContext.create(library, "w"))
        configure(context, self._facts, self._options.stored_format, self._size_px)
        context.flags |= Flags.global_header
        context.options = options_for(self._options, self._facts)
        with unchanged_scheduling():
            context.open(strict=False)
        return context
