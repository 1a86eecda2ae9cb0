"""What a run of the pipeline was like, in memory that does not grow with it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import accumulate


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


@dataclass
class PipelineStats:
    """Filled while the pipeline runs; each field is written by one thread only."""

    frames_decoded: int = 0
    frames_upscaled: int = 0
    frames_written: int = 0
    wall_seconds: float = 0.0
    busy_seconds: dict[str, float] = field(
        default_factory=lambda: {"decode": 0.0, "upscale": 0.0, "encode": 0.0}
    )
    """Time that each stage worked instead of waiting for its neighbours."""
    latency: LatencyHistogram = field(default_factory=LatencyHistogram)
    """From a decoded frame to the same frame handed to the encoder, queues included."""

    @property
    def fps(self) -> float:
        """Frames written per second of the whole run."""
        return self.frames_written / self.wall_seconds if self.wall_seconds else 0.0

    def as_dict(self) -> dict[str, object]:
        """Everything as plain values, for JSON."""
        wall = self.wall_seconds or 1.0
        return {
            "frames": self.frames_written,
            "seconds": round(self.wall_seconds, 3),
            "fps": round(self.fps, 3),
            "occupancy": {name: round(busy / wall, 3) for name, busy in self.busy_seconds.items()},
            "latency_ms": {
                f"p{percent}": round(self.latency.percentile_ms(percent), 2)
                for percent in (50, 90, 95, 99)
            },
        }
