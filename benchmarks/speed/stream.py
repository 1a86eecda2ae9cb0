"""A live source end to end: glass-to-glass latency, jitter and drops.

A synthetic camera shows a frame number as black and white squares in each picture. The sink reads
the number out of the upscaled picture and compares the time with the moment at which the camera
took it, so whatever lies between, queues included, is in the figure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from time import perf_counter, sleep

import numpy as np
from numpy.typing import NDArray

from ...common.errors import ConfigError
from ...runtime.video.clip.frame import Frame
from ...runtime.video.clip.pool import FramePool
from ...runtime.video.pipeline import Pipeline
from ...runtime.video.step import FrameStep, FrameUpscaler, pool_for
from ..machine.facts import describe_machine
from ..machine.monitor import Monitor
from ..report.checks import machine_warnings
from ..report.documents import Stream
from ..report.model import new_document
from ..report.results import StreamRate, StreamResults
from ..shared.settings import LatencySettings
from ..shared.statistics import summarise

RATES = (24.0, 30.0, 60.0)

_BITS = 16
_SQUARE = 8
_DARK, _BRIGHT = 16, 235

Image = NDArray[np.uint8]


def write_code(image: Image, number: int) -> None:
    """Draw `number` (modulo 65536) into the top left of `image`, uint8 H×W×3, in place."""
    for bit in range(_BITS):
        value = _BRIGHT if number >> bit & 1 else _DARK
        image[:_SQUARE, bit * _SQUARE : (bit + 1) * _SQUARE] = value


def read_code(image: Image, scale: int) -> int:
    """The number in an upscaled image, read from the middle of each square."""
    side, number = _SQUARE * scale, 0
    for bit in range(_BITS):
        square = image[:side, bit * side : (bit + 1) * side]
        middle = square[side // 4 : -(side // 4), side // 4 : -(side // 4)]
        number |= int(middle.mean() > 128) << bit
    return number


class Camera:
    """Gives time-coded frames at a fixed rate; `taken` holds when each was due, in seconds."""

    def __init__(
        self,
        width: int,
        height: int,
        fps: float,
        seconds: float,
        pool: FramePool,
        *,
        clock: Callable[[], float] = perf_counter,
        wait: Callable[[float], None] = sleep,
    ) -> None:
        """Raises ConfigError for a frame too small for the time code."""
        if width < _BITS * _SQUARE or height < _SQUARE:
            raise ConfigError(
                f"{width}×{height} is too small for the time code: "
                f"use at least {_BITS * _SQUARE}×{_SQUARE}"
            )
        self._shape = (height, width, 3)
        self._fps, self._count = fps, max(2, round(fps * seconds))
        self._pool, self._clock, self._wait = pool, clock, wait
        self._scene = np.random.default_rng(0).integers(0, 256, self._shape, np.uint8)
        self.taken: list[float] = []

    def __iter__(self) -> Iterator[Frame]:
        started = self._clock()
        step = Fraction(1) / Fraction(self._fps).limit_denominator(1001)
        for number in range(self._count):
            due = started + number / self._fps
            if (early := due - self._clock()) > 0:
                self._wait(early)
            image = self._pool.take(self._shape)
            np.copyto(image, self._scene)
            write_code(image, number)
            self.taken.append(due)
            yield Frame(image, number, step, 1)


class Display:
    """Reads the time codes; `shown` holds (number, seconds) of each frame in order."""

    def __init__(self, scale: int) -> None:
        self._scale = scale
        self.shown: list[tuple[int, float]] = []

    def write(self, frame: Frame) -> None:
        self.shown.append((read_code(frame.bgr, self._scale), perf_counter()))

    def finish(self) -> None:
        pass


def measure_stream(
    model: str | Path,
    settings: LatencySettings,
    rates: tuple[float, ...] = RATES,
) -> Stream:
    """Run a camera of each rate for `settings.seconds` through the live pipeline.

    Raises ConfigError, ModelError, BackendError, MissingDependencyError.
    """
    machine = describe_machine()
    monitor = Monitor(gpu=bool(machine.gpus))
    with settings.load(model) as upscaler:
        warm = np.zeros((settings.height, settings.width, 3), np.uint8)
        for _ in range(3):
            upscaler(warm)
        results = []
        for fps in rates:
            results.append(run_camera(upscaler, settings, fps))
            monitor.sample()
        conditions = monitor.report()
        warnings = machine_warnings(machine, conditions)
        unread = sum(run.unreadable for run in results)
        if unread:
            warnings.append(f"the time code of {unread} frames could not be read back")
        found = StreamResults(rates=results, conditions=conditions)
        return new_document(Stream, machine, settings, found, warnings, upscaler)


def run_camera(upscaler: FrameUpscaler, settings: LatencySettings, fps: float) -> StreamRate:
    """One camera at one rate."""
    pool = pool_for(upscaler)
    camera = Camera(settings.width, settings.height, fps, settings.seconds, pool)
    display = Display(upscaler.scale)
    step = FrameStep(upscaler, reuse=False)  # the camera shows one scene all the time
    Pipeline(camera, step, display, pool=pool, live=True).run()
    return evaluate(camera.taken, display.shown, fps)


def evaluate(taken: list[float], shown: list[tuple[int, float]], fps: float) -> StreamRate:
    """Latency, jitter and drops of frames taken at `taken` and shown as (number, seconds).

    Jitter is the mean of how far the interval between two shown frames is from that between the
    moments at which they were taken.
    """
    read = [(number, at) for number, at in shown if number < len(taken)]
    latencies = [1000 * (at - taken[number]) for number, at in read]
    late = [
        abs((after[1] - before[1]) - (taken[after[0]] - taken[before[0]]))
        for before, after in pairwise(read)
    ]
    seconds = shown[-1][1] - shown[0][1] if len(shown) > 1 else 0.0
    return StreamRate(
        source_fps=fps,
        taken=len(taken),
        shown=len(shown),
        shown_fps=(len(shown) - 1) / seconds if seconds > 0 else None,
        dropped=len(taken) - len(shown),
        drop_share=(len(taken) - len(shown)) / len(taken),
        unreadable=len(shown) - len(read),
        glass_to_glass=summarise(latencies) if latencies else None,
        jitter_ms=1000 * float(np.mean(late)) if late else None,
        latencies_ms=latencies,
    )
