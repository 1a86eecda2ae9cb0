"""File to file, nothing of a frame's size is allocated anew once the buffers are there."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from framelift.runtime import Upscaler
from framelift.runtime.video.clip.frame import Image
from framelift.runtime.video.clip.pool import FramePool
from framelift.runtime.video.pipeline import QUEUE_FRAMES
from framelift.runtime.video.step import FrameStep
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.clips import make_clip, noise

WIDTH, HEIGHT, FRAMES = 160, 120, 80
WARM, END = 30, 70
INPUT_BYTES = WIDTH * HEIGHT * 3


class Pool(FramePool):
    """A pool that knows how large its arrays are."""

    array_bytes = 0

    def take(self, shape: tuple[int, ...]) -> Image:
        array = super().take(shape)
        self.array_bytes = array.nbytes
        return array


@dataclass
class Pools:
    """The frame pools of a run."""

    made: list[Pool]

    def allocated_bytes(self) -> int:
        return sum(pool.allocated * pool.array_bytes for pool in self.made)


class Watched:
    """An upscaler that looks at the memory that Python and NumPy hold, at two frames."""

    def __init__(self, upscaler: Upscaler, pools: Pools) -> None:
        self.scale = upscaler.scale
        self._upscaler = upscaler
        self._pools = pools
        self._calls = 0
        self._held = self._pooled = 0
        self.beyond_pools = -1
        """The most bytes held at once between the frames, above the first and the pools' own."""

    def __call__(self, frame: Image, out: Image | None = None) -> Image:
        result = self._upscaler(frame, out)
        self._calls += 1
        if self._calls == WARM:
            tracemalloc.reset_peak()
            self._held, _ = tracemalloc.get_traced_memory()
            self._pooled = self._pools.allocated_bytes()
        elif self._calls == END:
            _, peak = tracemalloc.get_traced_memory()
            pooled = self._pools.allocated_bytes() - self._pooled
            self.beyond_pools = max(0, peak - self._held - pooled)
        return result


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> Pools:
    found = Pools([])

    def make(step: FrameStep) -> Pool:
        found.made.append(Pool())
        return found.made[-1]

    monkeypatch.setattr(FrameStep, "pool", make)
    return found


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(
    "options",
    [
        ConvertOptions(),
        ConvertOptions(factor=Fraction(121, 120)),
        ConvertOptions(compare=True),
        ConvertOptions(compare=True, factor=Fraction(2)),
    ],
    ids=["plain", "resized to odd sides", "compared", "compared and resized"],
)
def test_frames_are_made_in_the_same_arrays(
    tmp_path: Path, shuffle_model_path: Path, pools: Pools, options: ConvertOptions
) -> None:
    images = noise(10, WIDTH, HEIGHT) * (FRAMES // 10)
    clip = make_clip(tmp_path / "a.mp4", images, options={"preset": "ultrafast"})
    encoder = EncoderOptions(preset="ultrafast")
    with Upscaler.load(shuffle_model_path, "onnx-cpu") as upscaler:
        watched = Watched(upscaler, pools)
        result = upscale_video(
            clip, tmp_path / "out.mp4", watched, encoder, options, quiet=True, say=lambda line: None
        )
    assert result.stats.frames_written == FRAMES
    assert len(pools.made) == 2
    # The queue, one at each end of it, and no more however many frames there are.
    assert all(1 <= pool.allocated <= QUEUE_FRAMES + 2 for pool in pools.made)
    # One copy of the smallest array, an input frame, would be seen.
    assert 0 <= watched.beyond_pools < INPUT_BYTES // 2


LONG_RUN = """
import sys
from pathlib import Path

from framelift.runtime import Upscaler
from framelift.runtime.video.whole_file import upscale_video
from framelift.runtime.video.writing.encoders import EncoderOptions

resident = {}


class Watched:
    def __init__(self, upscaler):
        self.upscaler, self.scale, self.calls = upscaler, upscaler.scale, 0

    def __call__(self, frame, out=None):
        self.calls += 1
        if self.calls in (500, 5000):
            status = Path("/proc/self/status").read_text()
            resident[self.calls] = int(status.partition("VmRSS:")[2].split()[0])
        return self.upscaler(frame, out)


source, target, model = map(Path, sys.argv[1:])
with Upscaler.load(model, "onnx-cpu") as upscaler:
    encoder = EncoderOptions(preset="ultrafast")
    upscale_video(source, target, Watched(upscaler), encoder, quiet=True, say=print)
print(resident[500], resident[5000])
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_resident_memory_at_frame_5000_is_that_of_frame_500(
    tmp_path: Path, nearest_model_path: Path
) -> None:
    clip = make_clip(
        tmp_path / "a.mp4", noise(10, 64, 48) * 501, options={"preset": "ultrafast"}, audio="aac"
    )
    paths = (clip, tmp_path / "out.mp4", nearest_model_path)
    command = [sys.executable, "-c", LONG_RUN, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=True)
    early, late = map(int, done.stdout.split())
    assert late <= 1.05 * early
