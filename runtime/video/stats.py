"""What a run of the pipeline was like, in memory that does not grow with it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypedDict

from .clip.frame import Frame

STAGES = ("decode", "upscale", "encode")
_PERCENTS = (50, 90, 95, 99)


Percentiles = dict[str, float]
"""Durations in ms, under "p50", "p90", "p95" and "p99"."""


class StatsDict(TypedDict):
    """What JSON has of a run; see `PipelineStats`."""

    frames: int
    dropped: int
    seconds: float
    fps: float
    reused: float
    occupancy: dict[str, float]
    """The share of the time that each stage worked."""
    latency_ms: Percentiles
    stage_ms: dict[str, Percentiles]


class LiveStatsDict(TypedDict):
    """What JSON has besides of a live source."""

    glass_to_glass_ms: Percentiles
    jitter_ms: Percentiles


class LatencyHistogram:
    """Counts durations in bins that are 2 % wide, from a microsecond to about five hours."""

    _BINS_PER_E = 50
    _SMALLEST_SECONDS = 1e-6
    _BINS = 1200

    def __init__(self) -> None:
        self._counts = [0] * self._BINS
        self._total = 0

    def add(self, seconds: float) -> None:
        """Count a duration."""
        ratio = max(seconds, self._SMALLEST_SECONDS) / self._SMALLEST_SECONDS
        self._counts[min(int(math.log(ratio) * self._BINS_PER_E), self._BINS - 1)] += 1
        self._total += 1

    def percentile_ms(self, percent: float) -> float:
        """The duration below which `percent` of the counted ones lie, in ms; 0 without any."""
        if not self._total:
            return 0.0
        wanted = self._total * percent / 100
        seen = accumulate(self._counts)
        number = next(n for n, total in enumerate(seen) if total > 0 and total >= wanted)
        return 1000 * self._SMALLEST_SECONDS * math.exp((number + 0.5) / self._BINS_PER_E)

    def as_dict(self) -> Percentiles:
        """The usual percentiles in ms, for JSON."""
        return {f"p{percent}": round(self.percentile_ms(percent), 2) for percent in _PERCENTS}


class Jitter:
    """How unevenly frames come out: each interval less the one that their times ask for."""

    def __init__(self) -> None:
        self.histogram = LatencyHistogram()
        self._last: tuple[float, float] | None = None

    def add(self, now: float, frame_seconds: float) -> None:
        """Count a frame of that time that came out now, both in seconds."""
        if self._last is not None:
            late = (now - self._last[0]) - (frame_seconds - self._last[1])
            self.histogram.add(abs(late))
        self._last = now, frame_seconds


@dataclass
class PipelineStats:
    """Filled while the pipeline runs; each field is written by one thread only."""

    frames_decoded: int = 0
    frames_dropped: int = 0
    """Of the decoded ones those that a newer frame of a live source displaced."""
    frames_upscaled: int = 0
    frames_written: int = 0
    reused_share: float = 0.0
    """Of all pixels those that did not change and were not computed again, from 0 to 1."""
    wall_seconds: float = 0.0
    busy_seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    """Time that each stage worked instead of waiting for its neighbours."""
    stage_latency: dict[str, LatencyHistogram] = field(
        default_factory=lambda: {name: LatencyHistogram() for name in STAGES}
    )
    """Time that each stage took for a frame; decoding a live source includes waiting for it."""
    latency: LatencyHistogram = field(default_factory=LatencyHistogram)
    """From a decoded frame to the same frame reaching the encoder, queues included."""
    glass_latency: LatencyHistogram = field(default_factory=LatencyHistogram)
    """The same from the time that the frame itself states; see `Frame.age_seconds`."""
    jitter: Jitter = field(default_factory=Jitter)

    @property
    def fps(self) -> float:
        """Frames written per second of the whole run."""
        return self.frames_written / self.wall_seconds if self.wall_seconds else 0.0

    def worked(self, stage: str, seconds: float) -> None:
        """Count what a stage did for one frame."""
        self.busy_seconds[stage] += seconds
        self.stage_latency[stage].add(seconds)

    def wrote(self, frame: Frame, born: float, now: float) -> None:
        """Count a frame that was decoded at `born` and is written now."""
        self.latency.add(now - born)
        self.glass_latency.add(now - born + frame.age_seconds)
        self.jitter.add(now, float(frame.pts_seconds))
        self.frames_written += 1

    def as_dict(self) -> StatsDict:
        """Everything as plain values, for JSON."""
        wall = self.wall_seconds or 1.0
        return {
            "frames": self.frames_written,
            "dropped": self.frames_dropped,
            "seconds": round(self.wall_seconds, 3),
            "fps": round(self.fps, 3),
            "reused": round(self.reused_share, 3),
            "occupancy": {name: round(busy / wall, 3) for name, busy in self.busy_seconds.items()},
            "latency_ms": self.latency.as_dict(),
            "stage_ms": {name: part.as_dict() for name, part in self.stage_latency.items()},
        }

    def live_dict(self) -> LiveStatsDict:
        """What only a live source has besides, for JSON."""
        return {
            "glass_to_glass_ms": self.glass_latency.as_dict(),
            "jitter_ms": self.jitter.histogram.as_dict(),
        }
