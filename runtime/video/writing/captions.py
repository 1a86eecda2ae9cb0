"""Text subtitles that are written in another form, because the container knows no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from av.packet import Packet
from av.stream import Stream
from av.subtitles.codeccontext import SubtitleCodecContext
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle, SubtitleSet

from .carried import describe
from .containers import named_container

TEXT = frozenset({"subrip", "ass", "ssa", "webvtt", "mov_text", "text"})
"""Codecs of subtitles that are text, by FFmpeg's names."""
_UNIT = Fraction(1, 1000)
_LONGEST = 5000
"""How many milliseconds text of unknown length is shown, unless the next comes sooner."""
# The fields before the text of a line in ASS.
_ASS_FIELDS = 8


@dataclass
class _Cue:
    start: int
    end: int | None
    text: bytes


class Captions:
    """See `Carried`. Where two are shown at once, QuickTime gets them as one text."""

    def __init__(
        self, source: SubtitleStream, output: av.container.OutputContainer, end: Fraction | None
    ) -> None:
        """`end`: the time in seconds at which the last one ends, if not before.

        Raises:
            av.FFmpegError, ValueError: they cannot be decoded, or not written to `output`.
        """
        codec = named_container(output.format.name).subtitle_codec
        self._one_at_a_time = codec == "mov_text"
        self.description = f"{describe(source).removesuffix(')')} as {codec})"
        self._decoder = source.codec_context
        self._decoder.open(strict=False)
        target = output.add_stream(codec)
        assert isinstance(target, SubtitleStream)
        assert isinstance(target.codec_context, SubtitleCodecContext)
        target.time_base = target.codec_context.time_base = _UNIT
        target.codec_context.subtitle_header = self._decoder.subtitle_header
        self._encoder = target.codec_context
        self.target = target
        self._end = None if end is None else round(end / _UNIT)
        self._shown: list[_Cue] = []
        self._written_to = 0

    def take(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        if packet.pts is None:
            return
        start = round(packet.pts * packet.time_base / _UNIT)
        length = round((packet.duration or 0) * packet.time_base / _UNIT)
        decoded = self._decoder.decode2(packet)
        if decoded is None:
            return
        length = length or _stated(decoded)
        text = b"\\N".join(_text(rect.ass) for rect in decoded if isinstance(rect, AssSubtitle))
        for cue in self._shown:
            if cue.end is None:
                cue.end = min(start, cue.start + _LONGEST)
        yield from self._until(start)
        if text.strip():
            self._shown.append(_Cue(max(0, start), start + length if length else None, text))

    def finish(self) -> Iterator[Packet[Stream]]:
        for cue in self._shown:
            if cue.end is None:
                cue.end = cue.start + _LONGEST
        last = max((cue.end or 0 for cue in self._shown), default=0)
        yield from self._until(last if self._end is None else min(last, self._end))

    def _until(self, now: int) -> Iterator[Packet[Stream]]:
        """Write what is shown before `now`; no cue that came begins later than that."""
        if not self._one_at_a_time:
            for cue in self._shown:
                yield from self._coded(cue.start, self._cut(cue.end or now), [cue.text])
            self._shown.clear()
            return
        start = self._written_to
        while start < now and self._shown:
            current = [cue for cue in self._shown if cue.start <= start < (cue.end or now)]
            borders = {side for cue in self._shown for side in (cue.start, cue.end or now)}
            end = min([border for border in borders if border > start] + [now])
            if current:
                yield from self._coded(start, self._cut(end), [cue.text for cue in current])
            start = end
        self._shown = [cue for cue in self._shown if (cue.end or now + 1) > now]
        self._written_to = max(self._written_to, now)

    def _cut(self, end: int) -> int:
        return end if self._end is None else min(end, self._end)

    def _coded(self, start: int, end: int, texts: list[bytes]) -> Iterator[Packet[Stream]]:
        if end <= start:
            return
        line = b"0,0,Default,,0,0,0,," + b"\\N".join(texts)
        packet = self._encoder.encode_subtitle(SubtitleSet.create(line, 0, end - start, start))
        packet.pts = packet.dts = start
        packet.duration, packet.time_base = end - start, _UNIT
        packet.stream = self.target
        yield packet


def _text(line: bytes) -> bytes:
    """The text of a line of ASS, with its marks but without the fields before it."""
    return line.split(b",", _ASS_FIELDS)[-1]


def _stated(decoded: SubtitleSet) -> int:
    """The milliseconds that the subtitle itself states, or 0."""
    length = decoded.end_display_time - decoded.start_display_time
    return length if 0 < length < 1 << 31 else 0
