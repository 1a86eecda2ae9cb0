"""Every frame of a video file with its exact time, as BGR."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.stream import Disposition

from ....common.errors import InputError
from ....common.images.alpha import bleed
from ....common.notes import Say, say_on_stderr
from ..clip.alpha import alpha_of
from ..clip.colour import require_sdr
from ..clip.frame import ClipFacts, Frame
from ..clip.hdr import HdrMetadata, read_hdr
from ..clip.input_file import open_input, start_offset
from ..clip.pixel_format import pixel_format
from ..clip.pixels import ToBgr, colour_of, depth_note
from ..clip.pool import FramePool
from ..clip.span import Span
from .deinterlace import Deinterlace, Deinterlacer
from .dolby_vision import check_profile, dolby_vision_profile
from .integrity import Integrity, may_hide_its_end, structural_fault
from .mp4_structure import Mp4Facts, mp4_facts
from .orientation import display_matrix
from .seek import seek_point
from .side_data import side_data_of

_Picture = tuple[int, int, str]
_Timed = tuple[av.VideoFrame, int, int]
"""A decoded frame, its time and how long it is shown."""

_LOOKED_AT = 100
"""Packets behind damage in which another size of the pictures is looked for."""

# Times that go back by no more than this are mended; a clock that begins anew is not.
_JITTER_SECONDS, _JITTER_FRAMES = Fraction(1, 4), 4


class FileSource:
    """Decodes the main video stream of a file; iterate over it once, from one thread.

    Frames come in presentation order. Times are the file's own, exact; only formats whose clock
    starts anywhere (MPEG-TS, MPEG-PS) are shifted to begin at zero, all streams alike. Pixels are
    converted with the clip's own matrix and range; an untagged clip is taken for BT.709 from 720
    lines up and for BT.601 below. Interlaced frames are deinterlaced, one frame out per frame in.

    `facts` is valid from construction on: the first frame is decoded there. With a `pool`, the
    arrays come from it and whoever consumes a frame gives them back.

    Raises:
        InputError: at construction when the file is no usable video; from the iteration when it
            is damaged or shorter than it claims, so that a loop that ends has seen every frame.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        container: av.container.InputContainer | None = None,
        total_bytes: Callable[[], int] | None = None,
        span: Span | None = None,
        after_pts: int | None = None,
        context: int = 0,
        seek_to: Fraction | None = None,
        deinterlace: Deinterlace = Deinterlace.FRAME,
        pool: FramePool | None = None,
        assume_transfer: str | None = None,
        say: Say = say_on_stderr,
    ) -> None:
        """Open `path`; or take a `container` that is open already, which `path` only names.

        `total_bytes` says at the end how long an input was that does not know it itself. Of a
        `span` the first frame gets time 0. Frames up to `after_pts`, in the times that frames
        get, are left out without being converted, but for the last `context` of them. With
        `seek_to`, a time in seconds, reading begins at a key frame before it where that is safe;
        frames keep their times. `assume_transfer`: see `complete_colour`.
        """
        self.path = path
        self._name = Path(path).name if container is None else str(path)
        self._is_file = container is None
        self._say = say
        self._total_bytes = total_bytes
        self._span = span or Span()
        self._after_pts = after_pts
        self._context = context
        self._last_pts: int | None = None
        self._moved = 0
        self._assume_transfer = assume_transfer
        self._picture: _Picture | None = None
        self.container = container or open_input(Path(path))
        if container is not None and may_hide_its_end(container):
            say(f"{self._name}: states no duration, so a cut cannot be detected in one pass")
        try:
            if container is None:
                self._fail_if(structural_fault(Path(path), self.container.format.name), None)
            tables = self._tables() if container is None else Mp4Facts("", cuts=True)
            self._stream = self._choose_stream()
            self._stream.thread_type = "AUTO"
            self._integrity = Integrity(
                self.container,
                self._stream,
                may_hide=tables.cuts and tables.is_even,
                frames=tables.frames,
            )
            self._deinterlacer = self._make_deinterlacer(deinterlace)
            self._time_base = self._deinterlacer.time_base
            self._offset = start_offset(self.container, self._time_base)
            start = self._span.start if seek_to is None else seek_to
            if container is None and start:
                self._seek(Path(path), start)
            self._decoded = self._timed(self._decode())
            self._first = next(self._decoded, None)
            if self._first is None:
                what = "none of its frames can be decoded"
                if self._last_pts is not None:
                    what = f"ends before {float(self._span.start):g} s"
                raise InputError(f"{path}: contains a video stream but {what}")
            self._zero = 0 if self._span.is_whole else self._first[1]
            self.facts = self._read_facts(self._first[0])
        except BaseException:
            self.container.close()
            raise
        self._to_bgr = ToBgr(pool or FramePool())
        self._is_prepared = self._keeps_alpha = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a thread that is still reading from it keeps it open until it is done."""
        try:
            self._decoded.close()
        except ValueError:  # another thread is inside the generator
            return
        self.container.close()

    def use_pool(self, pool: FramePool, *, keep_alpha: bool = False) -> None:
        """Take arrays from this pool, which decides whether frames have 8 or 16 bits per channel.

        To be called before the iteration. Without it, what 8 bits lose is said at its beginning.
        With `keep_alpha`, frames have the transparency of the clip.
        """
        self._keeps_alpha = keep_alpha and self.facts.pixel_format.has_alpha
        self._to_bgr = ToBgr(pool)
        self._is_prepared = True

    @property
    def stream_index(self) -> int:
        """The index of the video stream that is decoded."""
        return self._stream.index

    def __iter__(self) -> Iterator[Frame]:
        if self._first is None:
            raise RuntimeError(f"{self.path}: the frames were already read.")
        if not self._is_prepared:
            self._check_depth()
        first, self._first = self._first, None
        before: deque[_Timed] = deque(maxlen=self._context)
        for timed in chain([first], self._decoded):
            if self._after_pts is not None and timed[1] - self._zero <= self._after_pts:
                before.append(timed)
                continue
            while before:
                yield replace(self._convert(before.popleft()), is_context=True)
            yield self._convert(timed)
        if self._integrity.hidden and self._span.is_whole:
            self._say(
                f"{self._name}: its list of edits leaves out {self._integrity.hidden} frames, as a "
                "player does"
            )
        if self._moved:
            self._say(
                f"{self._name}: {self._moved} frames had the time of the frame before them "
                "or an earlier one and were moved behind it"
            )

    @property
    def start_seconds(self) -> Fraction:
        """The time in the input, in seconds, that the frames' time 0 is."""
        return self._zero * self._time_base

    def _check_depth(self) -> None:
        """Say that frames get 8 bits. Raises InputError: they are HDR."""
        try:
            require_sdr(self.facts.colour)
        except ValueError as error:
            raise InputError(f"{self.path}: {error}") from error
        if note := depth_note(self.facts.pixel_format):
            self._say(f"{self._name}: {note}")
        if self.facts.pixel_format.has_alpha:
            self._say(f"{self._name}: the alpha channel is left out")

    def _seek(self, path: Path, start: Fraction) -> None:
        """Go to a key frame before `start`, in seconds."""
        stamp = seek_point(path, self._stream.index, start)
        if stamp is not None:
            self.container.seek(stamp, stream=self._stream)
            self._integrity.begins_midway()

    def _timed(self, frames: Iterable[av.VideoFrame]) -> Generator[_Timed, None, None]:
        """The frames of the span with their times in the input.

        A frame is shown until the next one: what libav calls its duration is, where frames are
        reordered, that of another one. Each waits for the next, but for those of a y4m pipe, which
        come as they are filmed and all last equally long.
        """
        held: tuple[av.VideoFrame, int] | None = None
        span = self._span
        for frame in frames:
            pts = self._next_pts(frame)
            seconds = pts * self._time_base
            ends = span.end is not None and seconds >= span.end
            if held is not None:
                yield *held, self._within_span(held[1], pts - held[1])
                held = None
            if ends:
                return
            if seconds >= span.start:
                held = frame, pts
            if held is not None and self.container.format.name == "yuv4mpegpipe":
                yield *held, self._duration(frame)
                held = None
        if held is not None:
            yield *held, self._within_span(held[1], self._last_duration(*held))

    def _choose_stream(self) -> av.VideoStream:
        moving = [
            stream
            for stream in self.container.streams.video
            if not stream.disposition & Disposition.attached_pic
        ]
        if not moving:
            raise InputError(f"{self.path}: has no video stream")
        best = self.container.streams.best("video")
        stream = best if isinstance(best, av.VideoStream) and best in moving else moving[0]
        # None when nothing of the stream could be made out; libav would crash on using it.
        if stream.codec_context is None:
            raise InputError(f"{self.path}: the codec of its video stream is unknown")
        if len(moving) > 1:
            self._say(
                f"{self._name}: contains {len(moving)} video streams; only stream "
                f"{stream.index} is upscaled, the others are left out"
            )
        return stream

    def _tables(self) -> Mp4Facts:
        """What the tables of an MP4 file tell; of others nothing is known."""
        path = Path(self.path)
        if "mp4" not in self.container.format.name or not path.is_file():
            return Mp4Facts("", cuts=True)
        tables = mp4_facts(path)
        self._fail_if(tables.fault, None)
        return tables

    def _make_deinterlacer(self, mode: Deinterlace) -> Deinterlacer:
        def say(line: str) -> None:
            self._say(f"{self._name}: {line}")

        try:
            return Deinterlacer(self._stream, mode, say)
        except ValueError as error:
            raise InputError(f"{self.path}: {error}") from error

    def _decode(self) -> Generator[av.VideoFrame, None, None]:
        try:
            for packet in self.container.demux():
                flush = packet.size == 0 and packet.pts is None and packet.dts is None
                if not flush:
                    fault = self._integrity.packet(packet)
                    if fault:
                        fault = self._size_change() or fault
                    self._fail_if(fault, packet.pts, packet.time_base)
                if packet.stream.index != self._stream.index:
                    continue
                frames = self._stream.decode(None if flush else packet)
                self._fail_if(
                    self._integrity.frames(frames),
                    frames[0].pts if frames else None,
                    frames[0].time_base if frames else None,
                )
                for frame in frames:
                    yield from self._deinterlacer(frame)
            yield from self._deinterlacer.flush()
        except av.FFmpegError as error:
            raise InputError(
                f"{self.path}: cannot be decoded to the end ({error.strerror}); "
                "the file is damaged, no output was written"
            ) from error
        total = self._total_bytes() if self._total_bytes else self.container.size
        self._fail_if(self._integrity.verdict(total), None)

    def _size_change(self) -> str:
        """Say so if a recording was joined of two sizes, where the packets are out of order."""
        before = self._picture
        for number, packet in enumerate(self.container.demux(self._stream)):
            for frame in self._stream.decode(packet):
                after = (frame.width, frame.height, frame.format.name)
                if before is not None and after != before:
                    return _changes(before, after)
            if number == _LOOKED_AT:
                break
        return ""

    def _fail_if(self, fault: str, pts: int | None, time_base: Fraction | None = None) -> None:
        if not fault:
            return
        place = ""
        if pts is not None:
            unit = time_base or self._stream.time_base or self._time_base
            seconds = pts * unit - self._offset * self._time_base
            place = f" at {float(seconds):.2f} s"
        raise InputError(f"{self.path}: {fault}{place}; no output was written")

    def _read_facts(self, frame: av.VideoFrame) -> ClipFacts:
        stream, format_ = self._stream, frame.format
        try:
            if self._is_file:
                profile = dolby_vision_profile(Path(self.path), self.container.format.name)
                if note := check_profile(profile):
                    self._say(f"{self._name}: {note}")
            colour = colour_of(frame, stream.codec_context, self._assume_transfer)
        except ValueError as error:
            raise InputError(f"{self.path}: {error}") from error
        stored = pixel_format(format_)
        if stored.has_alpha and (format_.has_palette or stream.codec_context.name == "gif"):
            stored = replace(stored, has_alpha=False)  # FFmpeg gives every GIF an alpha channel
        if stream.metadata.get("alpha_mode") == "1":  # of VP8 and VP9, which FFmpeg does not decode
            self._say(f"{self._name}: its alpha is left out; the decoder of VP8 and VP9 skips it")
        self._picture = (frame.width, frame.height, format_.name)
        return ClipFacts(
            width_px=frame.width,
            height_px=frame.height,
            time_base=self._time_base,
            average_rate=self._deinterlacer.rate,
            sample_aspect_ratio=stream.sample_aspect_ratio or Fraction(1),
            colour=colour,
            pixel_format=stored,
            hdr=read_hdr(side_data_of(frame)) if colour.hdr else HdrMetadata(),
            display_matrix=display_matrix(frame),
            frame_count_estimate=self._estimate_count(),
            metadata=dict(self.container.metadata),
            stream_metadata=dict(stream.metadata),
        )

    def _estimate_count(self) -> int | None:
        stream = self._stream
        if stream.frames and self._span.is_whole:
            return stream.frames
        seconds = Fraction(self.container.duration or 0, av.time_base)
        if stream.duration and stream.time_base:
            seconds = stream.duration * stream.time_base
        end = seconds if self._span.end is None else min(seconds, self._span.end)
        seconds = max(Fraction(0), end - self._span.start)
        return round(seconds * (self._deinterlacer.rate or 0)) or None

    def _convert(self, timed: _Timed) -> Frame:
        frame, pts, duration = timed
        picture = (frame.width, frame.height, frame.format.name)
        if self._picture is not None and picture != self._picture:
            raise InputError(f"{self.path}: {_changes(self._picture, picture)}")
        image = self._to_bgr(frame, self.facts.colour)
        made = Frame(image, pts - self._zero, self._time_base, duration)
        if self._keeps_alpha:
            made.alpha = alpha_of(frame, image.dtype)
            np.copyto(image, bleed(image, made.alpha))
        return made

    def _next_pts(self, frame: av.VideoFrame) -> int:
        """The frame's time; made up from the rate when missing, always after the last one."""
        stated = frame.pts if frame.pts is not None else frame.dts
        last = self._last_pts
        if stated is not None:
            pts = stated - self._offset
        else:
            pts = 0 if last is None else last + max(1, self._duration(frame))
        if last is not None and pts <= last:
            self._check_jump_back(last, pts, frame)
            pts = last + 1
            self._moved += 1
        self._last_pts = pts
        return pts

    def _check_jump_back(self, last: int, pts: int, frame: av.VideoFrame) -> None:
        """Raise InputError where the clock begins anew, as in recordings that were joined."""
        back = (last - pts) * self._time_base
        if back > max(_JITTER_SECONDS, _JITTER_FRAMES * self._duration(frame) * self._time_base):
            raise InputError(
                f"{self.path}: its clock jumps back by {float(back):.2f} s at "
                f"{float(last * self._time_base):.2f} s, as in files that were joined; split it "
                "there, or rewrite it with one clock first; no output was written"
            )

    def _within_span(self, pts: int, duration: int) -> int:
        """The duration of a frame at `pts`, cut at the end of the span."""
        if self._span.end is None:
            return duration
        return max(1, min(duration, math.ceil(self._span.end / self._time_base) - pts))

    def _last_duration(self, frame: av.VideoFrame, pts: int) -> int:
        """How long the last frame is shown: until the end of the track, where that is stated."""
        stream = self._stream
        if stream.duration and stream.time_base and not self._offset:
            end = ((stream.start_time or 0) + stream.duration) * stream.time_base
            left = round(end / self._time_base) - pts
            if left > 0:
                return left
        return self._duration(frame)

    def _duration(self, frame: av.VideoFrame) -> int:
        if frame.duration:
            return frame.duration
        return (
            round(1 / (self._deinterlacer.rate * self._time_base)) if self._deinterlacer.rate else 0
        )


def _changes(before: _Picture, after: _Picture) -> str:
    return "changes from {}×{} {} to {}×{} {} on the way (split it there first)".format(
        *before, *after
    )
