"""Publishes frames to an RTMP server, or as MPEG-TS by UDP or TCP."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import threading
from fractions import Fraction
from time import monotonic

import av
from av.codec.context import Flags

from ....common.closing import Closing
from ....common.errors import ConfigError, OutputError
from ....common.notes import Say
from ...video.clip.bgr import FromBgr, even_size
from ...video.clip.frame import ClipFacts, Frame
from ...video.writing.encoders import EncoderOptions
from ...video.writing.sound_feed import FedSound, SoundFeed
from .address import OUTPUT_FORMATS, Target
from .publisher import address, waits_for_player

_KEY_FRAME_SECONDS = 2
_OPEN_SECONDS, _WRITE_SECONDS = 20.0, 10.0
_POLL_SECONDS = 0.2  # until a signal is seen
_DEFAULT_PRESET = "veryfast"
_STREAMED_CODECS = ("h264", "hevc")


class Publisher:
    """A child process that sends what is written here to a server; see `publisher`."""

    def __init__(self, target: Target, *, open_seconds: float = _OPEN_SECONDS) -> None:
        """Start it; it connects when the first data comes."""
        self._shown = target.shown
        format_ = OUTPUT_FORMATS[target.text.partition(":")[0].lower()]
        command = [sys.executable, "-m", "framelift.runtime.live.targets.publisher"]
        # A session of its own: Ctrl-C is for this process, which ends the other one.
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # the first frame meets it, too
            os.write(self._child.stdin.fileno(), address(target.text, format_))
        os.set_blocking(self._child.stdin.fileno(), False)
        self._open_seconds = open_seconds
        self._deadline = monotonic() + open_seconds
        self._ready = False
        self._waits = waits_for_player(target.text)

    def wait_for_player(self, say: Say) -> None:
        """Wait until the other end connects, if that is how the URL wants it; nothing limits it.

        Raises OutputError: it cannot be waited for.
        """
        if not self._waits:
            return
        assert self._child.stdout is not None
        say(f"{self._shown}: waits for the other end to connect; Ctrl-C ends it")
        while not select.select([self._child.stdout], [], [], _POLL_SECONDS)[0]:
            pass
        if not self._child.stdout.readline():
            raise self._failure()
        self._deadline = monotonic() + self._open_seconds

    def write(self, data: bytes) -> int:
        """Send `data`.

        Raises:
            OutputError: it cannot connect in time, or the other end hung up or takes nothing.
        """
        assert self._child.stdin is not None
        descriptor, rest = self._child.stdin.fileno(), memoryview(data)
        while rest:
            if not select.select([], [descriptor], [], _WRITE_SECONDS)[1]:
                raise OutputError(f"{self._shown}: did not accept data for {_WRITE_SECONDS:g} s")
            try:
                rest = rest[os.write(descriptor, rest) :]
            except BlockingIOError:
                continue
            except BrokenPipeError as error:
                raise self._failure() from error
        self._check_connected(wait_seconds=0)
        return len(data)

    def finish(self) -> None:
        """Wait until all was sent.

        Raises:
            OutputError: it was not.
        """
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._check_connected(wait_seconds=max(0.0, self._deadline - monotonic()))
        try:
            code = self._child.wait(_WRITE_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise OutputError(f"{self._shown}: accepts no more data") from error
        if code:
            raise self._failure()

    def kill(self) -> None:
        """End it now."""
        self._child.kill()
        self._child.wait()
        for stream in (self._child.stdin, self._child.stdout, self._child.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _check_connected(self, wait_seconds: float) -> None:
        assert self._child.stdout is not None
        if self._ready:
            return
        if select.select([self._child.stdout], [], [], wait_seconds)[0]:
            self._ready = bool(self._child.stdout.readline())
            if not self._ready:
                raise self._failure()
        elif monotonic() >= self._deadline:
            raise OutputError(f"{self._shown}: did not answer within {self._open_seconds:g} s")

    def _failure(self) -> OutputError:
        deadline = monotonic() + 2
        while self._child.poll() is None and monotonic() < deadline:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(0.1)
        reason = ""
        if self._child.poll() is not None and self._child.stderr is not None:
            reason = self._child.stderr.read().decode(errors="replace").strip()
        last = (reason.splitlines() or ["the connection was lost"])[-1]
        advice = "" if self._ready else "; check the address, and that the server is running"
        return OutputError(f"{self._shown}: cannot be streamed to ({last}){advice}")


def check_streamed(target: Target, size_px: tuple[int, int], options: EncoderOptions) -> None:
    """Raise ConfigError or OutputError: what is made cannot be streamed like this."""
    if options.codec_name not in _STREAMED_CODECS:
        raise ConfigError(f"{options.codec_name} cannot be streamed: use h264 or hevc")
    options.check_size(target.shown, *size_px)
    options.check_available()


class StreamSink(Closing):
    """Encodes without look-ahead, a key frame every two seconds, so that viewers can join.

    Raises:
        OutputError: nobody answers, or the other end hangs up or stops reading.
    """

    def __init__(
        self,
        publisher: Publisher,
        facts: ClipFacts,
        size_px: tuple[int, int],
        options: EncoderOptions,
        sound: SoundFeed | None = None,
    ) -> None:
        """`publisher` is ended with this, and if this fails."""
        self._busy = threading.Lock()
        self._publisher = publisher
        try:
            self._container = av.open(self._publisher, "w", format="nut", buffer_size=4096)
            self._stream = self._add_stream(facts, even_size(*size_px), options)
            self._sound = None if sound is None else FedSound(sound, self._container, "aac")
            self._from_bgr = FromBgr("yuv420p", facts.colour, even_size(*size_px))
        except BaseException:
            self._publisher.kill()
            raise

    def close(self) -> None:
        """End the stream, whether or not anyone still reads it."""
        self._publisher.kill()
        if self._busy.acquire(timeout=1):
            with contextlib.suppress(av.FFmpegError, OutputError, OSError, ValueError):
                self._container.close()
            self._busy.release()

    def write(self, frame: Frame) -> None:
        with self._busy:
            picture = self._from_bgr(frame.bgr)
            picture.pts, picture.time_base = frame.pts, frame.time_base
            if self._sound is not None:
                self._sound.copy_until(frame.pts_seconds)
            self._container.mux(self._stream.encode(picture))

    def finish(self) -> None:
        with self._busy:
            self._container.mux(self._stream.encode(None))
            if self._sound is not None:
                self._sound.finish()
            self._container.close()
            self._publisher.finish()

    def _add_stream(
        self, facts: ClipFacts, size_px: tuple[int, int], options: EncoderOptions
    ) -> av.VideoStream:
        rate = facts.average_rate or Fraction(30)
        settings = options.library_options() | {
            "preset": options.preset or _DEFAULT_PRESET,
            "tune": "zerolatency",
            "g": str(max(1, round(rate * _KEY_FRAME_SECONDS))),
        }
        stream = self._container.add_stream(options.encoder.library, rate=rate, options=settings)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size_px, "yuv420p"
        context = stream.codec_context
        context.time_base = facts.time_base
        context.flags |= Flags.low_delay
        context.sample_aspect_ratio = facts.sample_aspect_ratio
        context.colorspace, context.color_range = facts.colour.matrix, facts.colour.range
        context.color_primaries = facts.colour.primaries
        context.color_trc = facts.colour.transfer
        return stream
