"""Latency statistics derived from raw samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .fields import AboveZero, Positive

# Frame rates whose deadline a live stream must meet.
DEADLINES_FPS = (24, 30, 60)


@dataclass(frozen=True)
class Summary:
    """Percentiles of per-call latency in milliseconds.

    `cv` is the standard deviation divided by the mean; `fps` is frames per second at the mean
    latency, batch counted; `drift` is the median of the last third of the samples divided by that
    of the first third (above 1: it gets slower); `deadline_misses` maps a frame rate to the share
    of calls that took longer than one frame period per frame of the batch.
    """

    count: Positive
    p50_ms: AboveZero
    p90_ms: float
    p95_ms: float
    p99_ms: float
    min_ms: float
    max_ms: float
    mean_ms: AboveZero
    cv: float
    fps: float
    drift: float
    deadline_misses: dict[str, float]


def summarise(samples_ms: Sequence[float], batch: int = 1) -> Summary:
    """Summary of the latencies of calls that each process `batch` frames.

    Percentiles are interpolated linearly. Raises ValueError for no samples or values ≤ 0.
    """
    values = np.asarray(samples_ms, dtype=np.float64)
    if values.size == 0:
        raise ValueError("there are no samples to summarise")
    if values.min() <= 0:
        raise ValueError(f"latencies must be positive, got {values.min()} ms")
    p50, p90, p95, p99 = (float(p) for p in np.percentile(values, (50, 90, 95, 99)))
    mean = float(values.mean())
    third = max(1, values.size // 3)
    return Summary(
        count=int(values.size),
        p50_ms=p50,
        p90_ms=p90,
        p95_ms=p95,
        p99_ms=p99,
        min_ms=float(values.min()),
        max_ms=float(values.max()),
        mean_ms=mean,
        cv=float(values.std()) / mean,
        fps=1000 * batch / mean,
        drift=float(np.median(values[-third:]) / np.median(values[:third])),
        deadline_misses={
            str(rate): float(np.mean(values > 1000 * batch / rate)) for rate in DEADLINES_FPS
        },
    )
