"""Network streams from real servers that are killed and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from framelift.common.errors import InputError, Interrupted, OutputError
from framelift.common.signals import SAME_PRESS_S, signals_as_errors
from framelift.runtime.live.run import LiveResult
from framelift.runtime.live.run import upscale_live as run_live
from framelift.runtime.live.sources.address import parse_source
from framelift.runtime.live.sources.network import Timeouts
from framelift.runtime.live.sources.opening import LiveOptions
from framelift.runtime.live.targets.address import parse_target
from framelift.runtime.live.targets.stream_sink import Publisher, StreamSink
from framelift.runtime.video.clip.colour_tags import Colour
from framelift.runtime.video.clip.frame import ClipFacts, Frame, Image
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.clips import Nearest, frame_times, make_clip, noise
from ...support.servers import RATE, HttpServer, RtspServer, Server
from ...support.waiting import PATIENCE_S, wait_until, wait_until_listening

PATIENT = Timeouts(read_seconds=PATIENCE_S, first_frame_seconds=PATIENCE_S)
QUICK = EncoderOptions(preset="ultrafast")


class Slow(Nearest):
    """Takes longer than a frame lasts."""

    def __call__(self, frame: Image, out: Image | None = None) -> Image:
        time.sleep(3 / RATE)
        return super().__call__(frame, out)


def upscale(
    url: str,
    target: str | Path,
    upscaler: Nearest | None = None,
    *,
    reconnect: float = 0,
    keep_all: bool = False,
    notes: list[str] | None = None,
    timeouts: Timeouts = PATIENT,
) -> LiveResult:
    return run_live(
        parse_source(url),
        parse_target(str(target)),
        upscaler or Nearest(2),
        QUICK,
        LiveOptions(timeouts, reconnect, keep_all),
        quiet=True,
        say=(notes if notes is not None else []).append,
    )


def send_and_wait(number: signal.Signals) -> None:
    """Send this process a signal; return once it was handled, which changes the handler."""
    handler = signal.getsignal(number)
    os.kill(os.getpid(), number)
    wait_until(lambda: signal.getsignal(number) != handler, f"{number.name} handled")


class Acting(Nearest):
    """Does something before its n-th frame."""

    def __init__(self, frame: int, action: Callable[[], object]) -> None:
        super().__init__(2)
        self._frame, self._action = frame, action
        self.began = 0.0
        """When the first frame came."""

    def __call__(self, frame: Image, out: Image | None = None) -> Image:
        self.began = self.began or time.monotonic()
        if self.calls == self._frame:
            self._action()
        return super().__call__(frame, out)


class Notes(list[str]):
    """What was said; with the second line, the source is back."""

    back = 0.0

    def append(self, line: str) -> None:
        super().append(line)
        if len(self) == 2:
            self.back = time.monotonic()


@pytest.mark.parametrize("kind", [HttpServer, RtspServer])
def test_a_server_that_is_killed_and_comes_back(tmp_path: Path, kind: type[Server]) -> None:
    target, notes = tmp_path / "out.mp4", Notes()
    first = kind()
    second: list[Server] = []

    def restart() -> None:
        first.kill()
        time.sleep(1.5)
        second.append(kind(first.port))
        wait_until(lambda: notes.back, "a connection to the second server")
        shown = upscaler.calls
        wait_until(lambda: upscaler.calls >= shown + 5, "frames of the second server")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=restart)
    upscaler = Acting(15, thread.start)
    result = upscale(first.url, target, upscaler, reconnect=PATIENCE_S, notes=notes)
    thread.join()
    second[0].kill()
    assert (result.ended_by, result.reconnects, result.failure) == ("Ctrl-C", 1, None)
    assert notes[0].endswith("reconnecting")
    assert "back after" in notes[1]
    times = frame_times(target)
    assert len(times) == result.stats.frames_written
    assert times == sorted(set(times))
    # The time without pictures counts, too.
    assert notes.back - upscaler.began < times[-1] < result.stats.wall_seconds + 5


def test_a_slow_upscaler_drops_frames_and_stays_current(tmp_path: Path) -> None:
    with HttpServer(frames=60) as server:
        result = upscale(server.url, tmp_path / "out.mkv", Slow(2))
    stats = result.stats
    assert stats.frames_dropped > 10
    assert stats.frames_written + stats.frames_dropped == stats.frames_decoded
    # One frame waits while one is worked on, each 0.1 s; not the seconds that would pile up.
    assert stats.latency.percentile_ms(50) < 1000
    assert len(frame_times(tmp_path / "out.mkv")) == stats.frames_written
    with HttpServer(frames=15) as server:
        result = upscale(server.url, "null", Slow(2), keep_all=True)
    assert result.stats.frames_dropped == 0
    assert result.stats.live_dict().keys() == {"glass_to_glass_ms", "jitter_ms"}


def test_a_file_from_a_web_server_loses_no_frame(
    tmp_path: Path, web_folder: tuple[Path, str]
) -> None:
    folder, url = web_folder
    clip = make_clip(folder / "a.mp4", noise(15), container_options={"movflags": "+faststart"})
    result = upscale(f"{url}/a.mp4", tmp_path / "out.mp4", Slow(2))
    assert (result.stats.frames_written, result.stats.frames_dropped) == (15, 0)
    assert frame_times(tmp_path / "out.mp4") == frame_times(clip)
    upscaler = Acting(5, lambda: send_and_wait(signal.SIGINT))
    with signals_as_errors(), pytest.raises(Interrupted, match="no output was left behind"):
        upscale(f"{url}/a.mp4", tmp_path / "cut.mp4", upscaler)
    assert not (tmp_path / "cut.mp4").exists()


@pytest.mark.parametrize("kind", ["file", "endless stream"])
def test_sound_of_web_servers_is_recorded(
    tmp_path: Path, web_folder: tuple[Path, str], kind: str
) -> None:
    clip = make_clip(web_folder[0] / "a.mp4", noise(30), audio="aac")
    notes = list[str]()
    with HttpServer(frames=20, sound=True) as server:
        source = f"{web_folder[1]}/{clip.name}" if kind == "file" else server.url
        upscale(source, tmp_path / "out.mp4", notes=notes)
        with av.open(str(tmp_path / "out.mp4")) as made:
            (stream,) = made.streams.audio
            assert stream.codec_context.name == "aac"
            assert sum(frame.samples for frame in made.decode(stream)) > 20000
        upscale(source, "null", notes=notes)
    assert notes == []


@pytest.mark.parametrize("transfer", [1, 16])
def test_ten_bits_of_a_stream_are_said_and_hdr_is_refused(
    web_folder: tuple[Path, str], transfer: int
) -> None:
    folder, url = web_folder
    quiet = {"x265-params": "log-level=none", "preset": "ultrafast"}
    make_clip(
        folder / "a.ts",
        codec="libx265",
        pixel_format="yuv420p10le",
        colour=(9, 1, 9, transfer),
        options=quiet,
    )
    notes = list[str]()
    if transfer == 16:
        with pytest.raises(InputError, match=r"a\.ts: is HDR video \(PQ\)"):
            upscale(f"{url}/a.ts", "null")
        return
    upscale(f"{url}/a.ts", "null", notes=notes)
    assert notes == [f"{url}/a.ts: upscaled with 8 bits per channel: the upscaler takes no others"]


def test_a_file_on_a_web_server_is_played_once(
    web_folder: tuple[Path, str], tmp_path: Path
) -> None:
    """MPEG-TS states no duration, but the server states a length: it is no camera."""
    folder, url = web_folder
    make_clip(folder / "a.ts", noise(9))
    result = upscale(f"{url}/a.ts", str(tmp_path / "out.mp4"))
    assert (result.stats.frames_written, result.ended_by) == (9, "the end of the source")
    make_clip(folder / "a.mkv", noise(9), container_options={"live": "1"})
    notes = list[str]()
    upscale(f"{url}/a.mkv", str(tmp_path / "other.mp4"), notes=notes)
    assert notes == [
        f"{url}/a.mkv: has no duration in its header, so a missing end cannot be detected"
    ]


def test_a_source_that_falls_silent_is_lost_and_the_recording_kept(tmp_path: Path) -> None:
    timeouts = Timeouts(read_seconds=1.5, first_frame_seconds=PATIENCE_S)
    with HttpServer(silent_after=45) as server:
        result = upscale(server.url, tmp_path / "out.mp4", timeouts=timeouts)
    assert result.ended_by == "the loss of the source"
    assert str(result.failure) == f"{server.url}: silent for 1.5 s"
    assert len(frame_times(tmp_path / "out.mp4")) == result.stats.frames_written > 0


def test_a_server_that_never_comes_back_ends_it(tmp_path: Path) -> None:
    with RtspServer() as server:
        result = upscale(server.url, "null", Acting(10, server.kill), reconnect=1.0)
    assert "attempts to reconnect failed" in str(result.failure)
    assert result.stats.frames_written > 0


def test_what_cannot_be_opened_is_one_line_and_not_tried_again() -> None:
    started = time.monotonic()
    with pytest.raises(InputError, match=r"^http://127.0.0.1:9/x: cannot be opened \(Connection"):
        upscale("http://127.0.0.1:9/x", "null", reconnect=PATIENCE_S)
    hasty = Timeouts(read_seconds=1.0, first_frame_seconds=1.0)
    with HttpServer(silent_after=0) as server, pytest.raises(InputError, match="cannot be opened"):
        upscale(server.url, "null", reconnect=PATIENCE_S, timeouts=hasty)
    assert time.monotonic() - started < PATIENCE_S


def test_a_second_signal_leaves_nothing(tmp_path: Path) -> None:
    handled = threading.Event()

    def signals() -> None:
        """The second one while the run, which the first one ended, waits for this frame."""
        send_and_wait(signal.SIGTERM)
        time.sleep(SAME_PRESS_S)
        send_and_wait(signal.SIGTERM)
        assert handled.wait(PATIENCE_S)

    with HttpServer() as server:
        with signals_as_errors(), pytest.raises(Interrupted, match="by SIGTERM; no output"):
            upscale(server.url, tmp_path / "out.mp4", Acting(0, signals), keep_all=True)
        handled.set()
    assert list(tmp_path.iterdir()) == []


def receive(url: str, times: list[float]) -> None:
    with contextlib.suppress(OSError), av.open(url, options={"listen": "1"}) as container:
        for frame in container.decode(video=0):
            assert (frame.width, frame.height) == (128, 96)
            times.append(frame.time or 0.0)


@pytest.mark.parametrize("url", ["rtmp://127.0.0.1:{}/live/key", "tcp://127.0.0.1:{}"])
def test_publishing_to_a_server(tmp_path: Path, url: str, free_port: int) -> None:
    source = make_clip(tmp_path / "a.mp4", noise(45))
    url, times = url.format(free_port), list[float]()
    server = threading.Thread(target=receive, args=(url, times), daemon=True)
    server.start()
    wait_until_listening(free_port)
    started = time.monotonic()
    result = upscale(str(source), url)
    server.join(PATIENCE_S)
    assert result.ended_by == "the end of the source"
    assert time.monotonic() - started > 1.3  # played at its own speed
    stats = result.stats
    assert stats.frames_decoded == 45
    # A busy machine drops frames, and says how many; what is left keeps its times.
    assert len(times) == stats.frames_written == 45 - stats.frames_dropped > 1
    for earlier, later in pairwise(times):
        periods = (later - earlier) / (1001 / 30000)
        assert round(periods) >= 1
        assert periods == pytest.approx(round(periods), abs=0.06)  # RTMP counts milliseconds


def test_publishing_to_nobody_is_one_line(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4")
    message = (
        r"^rtmp://127.0.0.1:9/a: cannot be streamed to \(Connection refused\); check the address"
    )
    with pytest.raises(OutputError, match=message):
        upscale(str(source), "rtmp://me:secret@127.0.0.1:9/a")


def test_publishing_to_a_server_that_says_nothing_ends() -> None:
    facts = ClipFacts(64, 48, Fraction(1, 30), Fraction(30), Fraction(1), Colour(6, 1))
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = parse_target(f"rtmp://127.0.0.1:{server.getsockname()[1]}/a")
        publisher = Publisher(target, open_seconds=2)
        with StreamSink(publisher, facts, (64, 48), QUICK) as sink:
            for number, image in enumerate(noise(5)):
                sink.write(Frame(image, number, Fraction(1, 30), 1))
            with pytest.raises(OutputError, match=r"did not answer within 2 s"):
                sink.finish()


def test_a_sink_that_cannot_be_made_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ValueError("no such encoder setting")

    monkeypatch.setattr(StreamSink, "_add_stream", fails)
    facts = ClipFacts(64, 48, Fraction(1, 30), Fraction(30), Fraction(1), Colour(6, 1))
    publisher = Publisher(parse_target("tcp://127.0.0.1:9"))
    with pytest.raises(ValueError, match="no such encoder setting"):
        StreamSink(publisher, facts, (64, 48), QUICK)
    assert publisher._child.poll() is not None
