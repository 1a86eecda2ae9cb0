"""Sound that is decoded and encoded again, as AAC or Opus, at its own times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.filter
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream

from ....common.errors import InputError
from .carried import describe

_OPUS_RATES = frozenset({8000, 12000, 16000, 24000, 48000})
_AAC_RATES = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000})
_RATE = 48_000
_AAC_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_BITS_PER_CHANNEL = 96_000


@dataclass(frozen=True)
class _Encoder:
    library: str
    rates: frozenset[int]
    layouts: dict[int, str]
    sample_format: str
    packet_samples: int


_ENCODERS = {
    "aac": _Encoder("aac", _AAC_RATES, _AAC_LAYOUTS, "fltp", 1024),
    "opus": _Encoder("libopus", _OPUS_RATES, _AAC_LAYOUTS | {4: "quad"}, "flt", 960),
}


class SoundEncoder:
    """Encodes decoded sound at the times that it has. Gaps become silence."""

    def __init__(
        self,
        output: av.container.OutputContainer,
        codec: str,
        rate: int,
        channels: int,
        end: Fraction | None = None,
    ) -> None:
        """`codec`: "aac" or "opus"; `end`: the time in seconds at which the sound ends, if not
        before. What lies before 0 s is left out.
        """
        self._end = end
        self._encoder = encoder = _ENCODERS[codec]
        self._rate = rate if rate in encoder.rates else _RATE
        self._layout = encoder.layouts.get(channels, "stereo")
        target = output.add_stream(encoder.library, rate=self._rate, layout=self._layout)
        assert isinstance(target, AudioStream)
        target.codec_context.format = av.AudioFormat(encoder.sample_format)
        target.bit_rate = _BITS_PER_CHANNEL * min(channels, 8)
        self.target = target
        self._graph: av.filter.Graph | None = None
        self._form: tuple[object, ...] = ()

    def encode(self, frame: av.AudioFrame) -> Iterator[Packet[Stream]]:
        """Yield what can be written once the frame has come. It may differ in form from the last.

        Raises av.FFmpegError.
        """
        form = frame.sample_rate, frame.format.name, frame.layout.name, frame.time_base
        if form != self._form:
            yield from self._drained()
            self._graph, self._form = self._build(frame), form
        assert self._graph is not None
        self._graph.push(frame)
        yield from self._pull()

    def finish(self) -> Iterator[Packet[Stream]]:
        """Yield what is left."""
        yield from self._drained()
        if self._form:
            yield from self.target.encode(None)

    def _drained(self) -> Iterator[Packet[Stream]]:
        if self._graph is not None:
            self._graph.push(None)
            yield from self._pull()
            self._graph = None

    def _build(self, frame: av.AudioFrame) -> av.filter.Graph:
        graph = av.filter.Graph()
        unit = Fraction(1, frame.sample_rate)
        nameless = frame.layout.name.endswith("channels")
        source = graph.add(
            "abuffer",
            sample_rate=str(frame.sample_rate),
            sample_fmt=frame.format.name,
            channel_layout=self._layout if nameless else frame.layout.name,
            time_base=str(frame.time_base or unit),
        )
        span = "start=0" if self._end is None else f"start=0:end={float(self._end)}"
        last = source
        for name, options in (
            ("atrim", span),
            ("aresample", f"{self._rate}:async=1:min_hard_comp=0.05"),
            (
                "aformat",
                f"sample_fmts={self._encoder.sample_format}:channel_layouts={self._layout}",
            ),
            ("asetnsamples", f"n={self._encoder.packet_samples}:p=0"),
            ("abuffersink", ""),
        ):
            filter_ = graph.add(name, options or None)
            last.link_to(filter_)
            last = filter_
        graph.configure()
        return graph

    def _pull(self) -> Iterator[Packet[Stream]]:
        assert self._graph is not None
        while True:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            assert isinstance(frame, av.AudioFrame)
            yield from self.target.encode(frame)


class Sound:
    """See `Carried`. Sound of a file that is encoded again."""

    def __init__(
        self,
        source: AudioStream,
        output: av.container.OutputContainer,
        codec: str,
        end: Fraction | None,
        name: Path,
    ) -> None:
        """`name`: the input; see `SoundEncoder` for the others."""
        self._name = name
        self.description = coded_as(source, codec)
        self._source = source
        self._encoder = SoundEncoder(output, codec, source.rate, source.layout.nb_channels, end)
        self.target = self._encoder.target
        self._tried = self._begun = False

    def take(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        pts, time_base, self._tried = packet.pts, packet.time_base, True
        try:
            frames = self._source.decode(packet)
        except av.InvalidDataError:
            if self._begun:
                raise
            return  # what comes before the first packet that can be decoded alone
        for frame in frames:
            self._begun = True
            if frame.pts is None:
                frame.pts, frame.time_base = pts, time_base
            yield from self._encoder.encode(frame)

    def finish(self) -> Iterator[Packet[Stream]]:
        if self._tried and not self._begun:
            raise InputError(
                f"{self._name}: none of its {describe(self._source)} can be decoded; to leave the "
                "audio out, pass --audio none"
            )
        if self._begun:
            for frame in self._source.decode(None):
                yield from self._encoder.encode(frame)
        yield from self._encoder.finish()


def coded_as(source: AudioStream, codec: str) -> str:
    """What becomes of a stream, as "audio (truehd as aac)"."""
    return f"{describe(source).removesuffix(')')} as {codec})"
