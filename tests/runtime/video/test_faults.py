"""What must not hang, and disks that are full."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from framelift.common.errors import BackendError, FrameliftError, InputError, OutputError
from framelift.runtime.video.channel import AbortedError, Channel
from framelift.runtime.video.clip.frame import Frame, Image
from framelift.runtime.video.clip.pool import FramePool
from framelift.runtime.video.pipeline import Pipeline
from framelift.runtime.video.watchdog import Watchdog
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video.writing.carried import CopyFrom
from framelift.runtime.video.writing.encoders import EncoderOptions
from framelift.runtime.video.writing.passthrough import Passthrough

from ...support.clips import Nearest, frame_times, make_clip, noise
from ...support.waiting import PATIENCE_S


class Endless:
    """A live source that gives a frame every few milliseconds."""

    def __init__(self, stuck_at: int | None = None) -> None:
        self.pool = FramePool()
        self.stuck_at = stuck_at
        self.released = threading.Event()
        self.made = 0

    def __iter__(self) -> Iterator[Frame]:
        while not self.is_over():
            if self.made == self.stuck_at:
                self.released.wait()
            image = self.pool.take((4, 6, 3))
            image[...] = self.made % 256
            self.made += 1
            yield Frame(image, self.made - 1, Fraction(1, 30), 1)

    def is_over(self) -> bool:
        return self.released.wait(0.002)


class Sink:
    def __init__(self, stuck: threading.Event | None = None) -> None:
        self.seen: list[int] = []
        self.stuck = stuck
        self.finished = False

    def write(self, frame: Frame) -> None:
        if self.stuck is not None:
            self.stuck.wait()
        self.seen.append(frame.pts)

    def finish(self) -> None:
        self.finished = True


class Hanging(Nearest):
    def __init__(self, released: threading.Event) -> None:
        super().__init__()
        self._released = released

    def __call__(self, frame: Image, out: Image | None = None) -> Image:
        self._released.wait()
        return super().__call__(frame, out)


@pytest.mark.parametrize(
    ("stage", "kind", "message"),
    [
        ("decode", InputError, r"the input gave no frame for 0\.2 s; gave up"),
        ("upscale", BackendError, r"the backend did not finish a frame for 0\.2 s; gave up"),
        ("encode", OutputError, r"the output took no frame for 0\.2 s; gave up"),
    ],
)
def test_a_stage_that_is_stuck_ends_the_run(
    stage: str, kind: type[FrameliftError], message: str
) -> None:
    source = Endless(stuck_at=3 if stage == "decode" else None)
    upscaler = Hanging(source.released) if stage == "upscale" else Nearest()
    sink = Sink(stuck=source.released if stage == "encode" else None)
    pipeline = Pipeline(source, upscaler, sink, pool=source.pool, watchdog=Watchdog({stage: 0.2}))
    started = time.monotonic()
    with pytest.raises(kind, match=message):
        pipeline.run()
    assert time.monotonic() - started < 20  # not as long as the stage is stuck
    source.released.set()


def test_waiting_for_a_neighbour_is_not_being_stuck() -> None:
    source = Endless()
    pipeline = Pipeline(
        source,
        Nearest(),
        Sink(source.released),
        pool=source.pool,
        queue_frames=1,
        watchdog=Watchdog({"decode": 1.0}),
    )
    threading.Timer(1.5, source.released.set).start()
    assert pipeline.run().frames_written > 2


class Paced(Endless):
    """Makes as many frames as it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._asked, self._taken = 0, 0
        self._changed = threading.Condition()

    def is_over(self) -> bool:
        """Waits until a further frame is asked for."""
        with self._changed:
            self._taken += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._taken <= self._asked or self.released.is_set())
        return self.released.is_set()

    def end(self) -> None:
        with self._changed:
            self.released.set()
            self._changed.notify_all()

    def make(self, frames: int) -> None:
        """Have frames made; returns when they are in the pipeline."""
        with self._changed:
            self._asked += frames
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._taken > self._asked, PATIENCE_S)


def test_a_live_pipeline_drops_old_frames_and_stops_well() -> None:
    source, ages = Paced(), list[int]()

    class Slow(Sink):
        """Five frames come while it takes one."""

        def write(self, frame: Frame) -> None:
            super().write(frame)
            if len(ages) == 20:  # stopped
                return
            source.make(5)
            ages.append(source.made - frame.pts)
            if len(ages) == 20:
                pipeline.stop()

    sink = Slow()
    pipeline = Pipeline(source, Nearest(), sink, pool=source.pool, live=True)
    threading.Thread(target=source.make, args=(5,)).start()
    stats = pipeline.run()
    source.end()
    assert sink.finished
    assert stats.frames_dropped > stats.frames_written >= 20
    assert stats.frames_decoded - stats.frames_dropped == len(sink.seen)
    assert sink.seen == sorted(sink.seen)
    # One waits on each side, one is in each pair of hands.
    assert max(ages) <= 4 * 5
    assert source.pool.allocated <= 5


def test_a_source_that_is_stuck_cannot_keep_a_stopped_run() -> None:
    source, sink = Endless(stuck_at=20), Sink()
    pipeline = Pipeline(source, Nearest(), sink, pool=source.pool, live=True)
    threading.Timer(0.5, pipeline.stop).start()
    started = time.monotonic()
    pipeline.run()
    assert time.monotonic() - started < 20
    assert sink.finished
    source.released.set()


def test_the_latest_item_displaces_the_oldest() -> None:
    channel: Channel[int] = Channel(2, latest=True)
    assert [channel.put(n) for n in range(4)] == [None, None, 0, 1]
    channel.close()
    assert list(channel) == [2, 3]
    with pytest.raises(AbortedError):
        channel.put(4)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("a file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize(
    ("resume", "segment", "is_kept"),
    [(None, 10, False), ("model", 10, True), ("model", 250, False)],
)
def test_a_full_disk(
    tmp_path: Path, small_disk: Path, resume: str | None, segment: int, is_kept: bool
) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (64, 96, 3), np.uint8) for _ in range(30)]
    source = make_clip(tmp_path / "a.mp4", images)
    target = small_disk / "out.mp4"
    options = ConvertOptions(resume=resume, segment_frames=segment)
    best = EncoderOptions(preset="ultrafast", crf=4)
    rest = (
        "the finished part is kept; run the same command" if is_kept else "nothing was left behind"
    )
    with pytest.raises(OutputError, match=rf"out.mp4: the disk is full; {rest}"):
        upscale_video(source, target, Nearest(2), best, options, quiet=True)
    left = [path.name for path in small_disk.rglob("*") if path.is_file()]
    assert not any(name.endswith(".mp4") for name in left)
    assert (left != []) == is_kept


def test_nothing_of_a_clip_is_left_when_its_encoder_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_clip(tmp_path / "a.mp4", noise(40))
    monkeypatch.setattr(
        "framelift.runtime.video.writing.file_sink.FromBgr.__call__",
        lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error")),
    )
    with pytest.raises(OutputError, match=r"out.mp4: cannot be written \(Input/output error\)"):
        upscale_video(source, tmp_path / "out.mp4", Nearest(2), quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert len(frame_times(source)) == 40


def test_a_damaged_first_packet_leaves_no_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(copied: Passthrough) -> Iterator[object]:
        raise InputError("its audio cannot be read")
        yield

    source = make_clip(tmp_path / "a.mp4", audio="aac")
    monkeypatch.setattr(Passthrough, "_read", damaged)
    with av.open(str(tmp_path / "out.mp4"), "w") as output:
        with (
            pytest.raises(InputError) as caught,
            Passthrough(CopyFrom(source, 0), output, tmp_path / "out.mp4") as copied,
        ):
            copied.finish()
        opened = [os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.exists()]
    assert str(source) not in opened
    assert caught.value.__traceback__ is not None  # which keeps what was being made
