"""Audio, subtitles and the rest: copied packet by packet, never encoded again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Disposition, Stream

from ....common.errors import InputError, OutputError
from ....common.notes import Say, say_on_stderr
from ..clip.input_file import open_input, start_offset
from ..clip.span import Span

if TYPE_CHECKING:
    from av.container.core import Chapter

# Written by the program that made the input about the packets as they were.
_STALE_TAGS = ("BPS", "DURATION", "NUMBER_OF_", "_STATISTICS", "encoder", "vendor_id", "rotate")


def lasting_tags(metadata: dict[str, str]) -> dict[str, str]:
    """The tags of a stream or file that stay true in the output."""
    container_tags = ("major_brand", "minor_version", "compatible_brands")
    return {
        key: value
        for key, value in metadata.items()
        if not key.upper().startswith(tuple(tag.upper() for tag in _STALE_TAGS))
        and key not in container_tags
    }


class Passthrough:
    """Copies every stream of `path` but its video into `output`, in the original timing.

    The file is opened a second time, so it must be a file. Construct it after the output's video
    stream was added and before its header is written; call `copy_until` as the video advances and
    `finish` at the end. Chapters are copied as well.

    An audio stream that the container cannot hold is an error that says what to do, found before
    any frame is upscaled; other streams that it cannot hold are left out with a line that says so.
    Of a `span`, whole packets are copied, those that begin in it: audio begins up to one packet,
    some 20 ms, after the picture.

    Raises:
        InputError: the file cannot be read to its end.
        OutputError: the container cannot hold an audio stream.
    """

    def __init__(
        self,
        path: Path,
        output: av.container.OutputContainer,
        target: Path,
        *,
        video_index: int,
        audio: bool = True,
        span: Span | None = None,
        say: Say = say_on_stderr,
    ) -> None:
        self._path = path
        self._span = span or Span()
        self._target = target
        self._audio = audio
        self._say = say
        self._output = output
        self._last_dts: dict[int, int] = {}
        self._input = open_input(path)
        try:
            self._streams = self._add_streams(video_index)
            self.copied = [_describe(self._input.streams[index]) for index in self._streams]
            """What is copied, as "audio (aac)"."""
            output.set_chapters(list(self._chapters()))
            self._packets = self._read()
            self._next = next(self._packets, None)
        except BaseException:
            self._input.close()
            raise

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
        """Close the second handle on the input."""
        self._input.close()

    def copy_until(self, seconds: Fraction) -> None:
        """Write the packets that come before `seconds` of the output's time."""
        while self._next is not None and _time(self._next) <= seconds:
            self._write(self._next)
            self._next = next(self._packets, None)

    def finish(self) -> None:
        """Write all that remain."""
        while self._next is not None:
            self._write(self._next)
            self._next = next(self._packets, None)

    def _add_streams(self, video_index: int) -> dict[int, Stream]:
        added: dict[int, Stream] = {}
        for stream in self._input.streams:
            moving = stream.type == "video" and not stream.disposition & Disposition.attached_pic
            if stream.index == video_index or moving:
                continue
            if stream.type == "audio" and not self._audio:
                continue
            if stream.type == "data":
                # QuickTime keeps chapters in such a track; they are written anew.
                if not self._input.chapters():
                    self._say(f"{self._path.name}: data stream {stream.index} is left out")
                continue
            matroska = self._output.format.name == "matroska"
            if stream.type == "attachment" and not matroska:
                # libav takes the stream, and refuses the whole file when its header is written.
                self._say(
                    f"{self._path.name}: an attached file is left out, {self._target.suffix} "
                    "cannot hold it"
                )
                continue
            if stream.type == "video" and matroska:
                # Matroska keeps covers as attached files; as a track it would be a second film.
                self._say(f"{self._path.name}: the cover picture is left out")
                continue
            copy = self._add(stream)
            if copy is not None:
                added[stream.index] = copy
        return added

    def _add(self, stream: Stream) -> Stream | None:
        if self._output.format.name == "mp4" and _has_nameless_channels(stream):
            raise self.cannot_hold(_describe(stream))
        try:
            copy = self._output.add_stream_from_template(stream, opaque=True)
        except (ValueError, av.FFmpegError) as error:
            if stream.type == "audio":
                raise self.cannot_hold(_describe(stream)) from error
            self._say(
                f"{self._path.name}: {_describe(stream)} is left out, "
                f"{self._target.suffix} cannot hold it"
            )
            return None
        copy.metadata.update(lasting_tags(stream.metadata))
        with contextlib.suppress(AttributeError):
            copy.disposition = stream.disposition
        return copy

    def cannot_hold(self, what: str) -> OutputError:
        """The error that the container cannot hold some audio."""
        return OutputError(
            f"{self._target}: {self._target.suffix} cannot hold the {what} of {self._path}; name "
            "another kind of file (.mkv holds most, .mov the older ones) or pass --no-audio"
        )

    def _chapters(self) -> Iterator[Chapter]:
        """The chapters that lie in the span, moved along with it."""
        for chapter in self._input.chapters():
            unit = chapter["time_base"] or Fraction(1, av.time_base)
            start = round(self._span.start / unit)
            end = chapter["end"] if self._span.end is None else round(self._span.end / unit)
            if chapter["start"] < end and chapter["end"] > start:
                chapter["end"] = min(chapter["end"], end) - start
                chapter["start"] = max(chapter["start"], start) - start
                yield chapter

    def _read(self) -> Iterator[Packet[Stream]]:
        if not self._streams:
            return
        chosen = [self._input.streams[index] for index in self._streams]
        try:
            for packet in self._input.demux(chosen):
                if packet.size == 0 and packet.pts is None and packet.dts is None:
                    continue
                self._shift(packet)
                if self._is_wanted(packet):
                    yield packet
        except av.FFmpegError as error:
            raise InputError(
                f"{self._path}: its audio or subtitles cannot be read to the end "
                f"({error.strerror}); no output was written"
            ) from error

    def _is_wanted(self, packet: Packet[Stream]) -> bool:
        """Whether a packet begins in the span. Of a whole file, the encoder's lead-in counts."""
        span, seconds = self._span, _time(packet)
        if span.is_whole:
            return True
        return seconds >= 0 and (span.end is None or seconds < span.end - span.start)

    def _shift(self, packet: Packet[Stream]) -> None:
        offset = start_offset(self._input, packet.time_base)
        offset += round(self._span.start / packet.time_base)
        if packet.pts is not None:
            packet.pts -= offset
        if packet.dts is not None:
            packet.dts -= offset

    def _write(self, packet: Packet[Stream]) -> None:
        index = packet.stream.index
        packet.stream = self._streams[index]
        self._make_later(index, packet)
        self._output.mux_one(packet)

    def _make_later(self, index: int, packet: Packet[Stream]) -> None:
        """Move a packet behind the one before it in its stream.

        Matroska's milliseconds may give two short packets one time, which others refuse.
        """
        unit = packet.stream.time_base or packet.time_base
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None or packet.stream.type != "audio":
            return
        ticks, last = round(stamp * packet.time_base / unit), self._last_dts.get(index)
        if last is not None and ticks <= last:
            ticks = last + 1
            packet.pts = packet.dts = ticks
            packet.duration = round((packet.duration or 0) * packet.time_base / unit)
            packet.time_base = unit
        self._last_dts[index] = ticks


def _has_nameless_channels(stream: Stream) -> bool:
    """PCM of Matroska: MP4 wants to know left from right, and libav says so at the very end."""
    if not isinstance(stream, AudioStream) or stream.codec_context is None:
        return False
    if not stream.codec_context.name.startswith("pcm_"):
        return False
    return stream.layout.name.endswith("channels")


def _describe(stream: Stream) -> str:
    codec = stream.codec_context.name if stream.codec_context is not None else "unknown"
    kind = "cover" if stream.type == "video" else stream.type
    return f"{kind} ({codec})"


def _time(packet: Packet[Stream]) -> Fraction:
    stamp = packet.dts if packet.dts is not None else packet.pts
    return (stamp or 0) * packet.time_base
