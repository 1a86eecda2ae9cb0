"""Audio, subtitles and the rest: copied packet by packet where the container can hold them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Disposition, Stream
from av.subtitles.stream import SubtitleStream

from ....common.closing import Closing
from ....common.errors import InputError, OutputError
from ....common.libraries.pyav import exact, unit_of
from ....common.notes import Say, say_on_stderr
from ..clip.film_times import film_times
from ..clip.input_file import open_input, start_offset
from .captions import TEXT, Captions
from .carried import Audio, Carried, Copied, CopyFrom, can_hold, describe, time_of
from .containers import named_container
from .recoded_sound import Sound

if TYPE_CHECKING:
    from av.container.core import Chapter

# Before the span, sound is decoded for so long, so that it is whole when the span begins.
_RUN_IN_SECONDS = 2
_COARSE_SECONDS = Fraction(1, 1000)
"""AVI counts sound in packets of some 24 ms: in such units a shift would be rounded."""

# Written by the program that made the input about the packets as they were.
_STALE_TAGS = (
    "BPS",
    "DURATION",
    "NUMBER_OF_",
    "_STATISTICS",
    "alpha_mode",
    "encoder",
    "vendor_id",
    "rotate",
)


def lasting_tags(metadata: dict[str, str]) -> dict[str, str]:
    """The tags of a stream or file that stay true in the output."""
    container_tags = ("major_brand", "minor_version", "compatible_brands")
    return {
        key: value
        for key, value in metadata.items()
        if not key.upper().startswith(tuple(tag.upper() for tag in _STALE_TAGS))
        and key not in container_tags
    }


class Passthrough(Closing):
    """Copies every stream of a file but its video into `output`, in the original timing.

    The file is opened a second time, so it must be a file. Construct it after the output's video
    stream was added and before its header is written; call `copy_until` as the video advances and
    `finish` at the end. Chapters are copied as well.

    Audio that the container cannot hold is encoded again as AAC or Opus, with a line that says so,
    and text subtitles in the form that it can hold; other streams that it cannot hold are left out
    with a line. Of a `span`, whole packets of audio are copied, those that begin in it: audio
    begins up to one packet, some 20 ms, after the picture. Subtitles are cut to the span.

    Raises:
        InputError: the file cannot be read to its end.
        OutputError: the container cannot hold an audio stream, which is not to be encoded again.
    """

    def __init__(
        self,
        source: CopyFrom,
        output: av.container.OutputContainer,
        target: Path,
        say: Say = say_on_stderr,
    ) -> None:
        self._path = source.path
        self._span = source.span
        self._zero = source.span.start + source.begins
        self._target = target
        self._audio = source.audio
        self._say = say
        self._output = output
        self._container = named_container(output.format.name)
        self._input = open_input(source.path)
        try:
            self._streams = self._add_streams(source.video_index)
            self.copied = [carried.description for carried in self._streams.values()]
            """What is copied or encoded again, as "audio (aac)" or "audio (truehd as aac)"."""
            output.set_chapters(list(self._chapters()))
            self._packets = self._read()
            self._waiting: Packet[Stream] | None = None
        except BaseException:
            self._input.close()
            raise

    def close(self) -> None:
        """Close the second handle on the input."""
        self._input.close()

    def copy_until(self, seconds: Fraction) -> None:
        """Write the packets that come before `seconds` of the output's time."""
        while (packet := self._next()) is not None and time_of(packet) <= seconds:
            self._write(packet)

    def finish(self) -> None:
        """Write all that remain."""
        while (packet := self._next()) is not None:
            self._write(packet)

    def _next(self) -> Packet[Stream] | None:
        """The packet to write next. None is read before the header is written: it sets the units
        of time of the streams.
        """
        if self._waiting is None:
            self._waiting = next(self._packets, None)
        return self._waiting

    def _write(self, packet: Packet[Stream]) -> None:
        self._output.mux_one(packet)
        self._waiting = None

    def _add_streams(self, video_index: int) -> dict[int, Carried]:
        added: dict[int, Carried] = {}
        for stream in self._input.streams:
            moving = stream.type == "video" and not stream.disposition & Disposition.attached_pic
            if stream.index == video_index or moving:
                continue
            if stream.type == "audio" and self._audio is Audio.NONE:
                continue
            if stream.type == "data":
                # QuickTime keeps chapters in such a track; they are written again.
                if not self._input.chapters():
                    self._say(f"{self._path.name}: data stream {stream.index} is left out")
                continue
            if stream.type == "attachment" and self._output.format.name != "matroska":
                # libav takes the stream, and refuses the whole file when its header is written.
                self._say(
                    f"{self._path.name}: an attached file is left out, {self._target.suffix} "
                    "cannot hold it"
                )
                continue
            if stream.type == "video" and self._container.is_matroska:
                # Matroska keeps covers as attached files; as a track it would be a second film.
                self._say(f"{self._path.name}: the cover picture is left out")
                continue
            carried = self._add(stream)
            if carried is not None:
                added[stream.index] = carried
        return added

    def _add(self, stream: Stream) -> Carried | None:
        """Copy a stream if the container can hold it; else encode it again, or say what is lost."""
        if isinstance(stream, AudioStream):
            return self._add_audio(stream)
        if can_hold(self._output.format.name, stream):
            return self._copy(stream)
        if isinstance(stream, SubtitleStream) and stream.codec_context is not None:
            with contextlib.suppress(ValueError, av.FFmpegError):
                if stream.codec_context.codec.canonical_name in TEXT:
                    captions = Captions(stream, self._output, self._length())
                    self._tag(captions.target, stream)
                    self._say(f"{self._path.name}: {captions.description}, for {self._suffix}")
                    return captions
        what = f"{describe(stream)} is left out, {self._suffix} cannot hold it"
        holder = "; .mkv holds it" if stream.type == "subtitle" else ""
        self._say(f"{self._path.name}: {what}{holder}")
        return None

    def _add_audio(self, stream: AudioStream) -> Carried:
        if stream.codec_context is None:
            raise InputError(
                f"{self._path}: the codec of its audio, stream {stream.index}, is unknown; to "
                "leave the audio out, pass --audio none"
            )
        holds = can_hold(self._output.format.name, stream)
        if holds and self._audio is not Audio.AAC:
            return self._copy(stream)
        if self._audio is Audio.COPY:
            raise OutputError(
                f"{self._target}: {self._suffix} cannot hold the {describe(stream)} of "
                f"{self._path}; write to .mkv, or pass --audio aac or --audio none"
            )
        codec = self._container.audio_codec
        if self._audio is Audio.AAC and codec != "aac":
            raise OutputError(
                f"{self._target}: {self._suffix} cannot hold AAC; leave out --audio aac, and what "
                f"it cannot hold becomes {codec.capitalize()}"
            )
        sound = Sound(stream, self._output, codec, self._length(), self._path)
        self._tag(sound.target, stream)
        if not holds:
            self._say(
                f"{self._path.name}: {sound.description}, {self._suffix} cannot hold it as it is"
            )
        return sound

    def _copy(self, stream: Stream) -> Copied:
        copy = self._output.add_stream_from_template(stream, opaque=True)
        self._tag(copy, stream)
        return Copied(stream, copy)

    def _tag(self, copy: Stream, stream: Stream) -> None:
        copy.metadata.update(lasting_tags(stream.metadata))
        with contextlib.suppress(AttributeError):
            copy.disposition = stream.disposition

    @property
    def _suffix(self) -> str:
        return self._target.suffix

    def _length(self) -> Fraction | None:
        """How long the output is at most, in seconds."""
        return None if self._span.end is None else self._span.end - self._zero

    def _chapters(self) -> Iterator[Chapter]:
        """The chapters that lie in the span, moved along with it.

        None ends after the film: QuickTime would show the film until then.
        """
        for chapter in self._input.chapters():
            unit = exact(chapter["time_base"]) or Fraction(1, av.time_base)
            start = round(self._zero / unit)
            end = chapter["end"]
            lasts = [] if self._span.end is None else [self._span.end]
            if self._input.duration:
                lasts.append(film_times(self._input)[1])
            end = min([end, *(round(last / unit) for last in lasts)])
            if chapter["start"] < end and end > start:
                chapter["end"] = end - start
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
                carried = self._streams[packet.stream.index]
                self._shift(packet)
                if packet.stream.type == "subtitle":
                    self._cut(packet)
                if self._is_wanted(packet, carried):
                    yield from carried.take(packet)
            for carried in self._streams.values():
                yield from carried.finish()
        except av.FFmpegError as error:
            raise InputError(
                f"{self._path}: its audio or subtitles cannot be read to the end "
                f"({error.strerror}); no output was written"
            ) from error

    def _is_wanted(self, packet: Packet[Stream], carried: Carried) -> bool:
        """Whether a packet begins in the span. Of the beginning, the encoder's lead-in counts."""
        seconds, length = time_of(packet), self._length()
        if length is not None and seconds >= length:
            return False
        begin = -_RUN_IN_SECONDS if isinstance(carried, Sound) else 0
        return self._span.is_from_the_beginning or seconds >= begin

    def _cut(self, packet: Packet[Stream]) -> None:
        """Cut a subtitle to the span."""
        if packet.pts is None or not packet.duration or self._span.is_whole:
            return
        start, end = packet.pts, packet.pts + packet.duration
        if start < 0 < end and self._span.start:
            packet.pts = packet.dts = start = 0
        length = self._length()
        if length is not None:
            end = min(end, floor(length / unit_of(packet)))
        packet.duration = max(0, end - start)

    def _shift(self, packet: Packet[Stream]) -> None:
        if self._zero and packet.time_base > _COARSE_SECONDS:
            _refine(packet)
        unit = unit_of(packet)
        offset = start_offset(self._input, unit) + round(self._zero / unit)
        if packet.pts is not None:
            packet.pts -= offset
        if packet.dts is not None:
            packet.dts -= offset


def _refine(packet: Packet[Stream]) -> None:
    """Count the times of a packet in a thousandth of its unit."""
    if packet.pts is not None:
        packet.pts *= 1000
    if packet.dts is not None:
        packet.dts *= 1000
    if packet.duration is not None:
        packet.duration *= 1000
    packet.time_base = unit_of(packet) / 1000
