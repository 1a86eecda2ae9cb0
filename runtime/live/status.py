"""The state of a live run, on the standard error output."""

from __future__ import annotations

import sys
from time import monotonic

from ...common.closing import Closing
from ...common.progress import LINE_EVERY_SECONDS
from ...common.text import counted
from ..video.stats import PipelineStats

_REFRESH_SECONDS = 1.0


class Status(Closing):
    """A line that is updated each second on a terminal; elsewhere a line every ten seconds."""

    def __init__(self, name: str, *, quiet: bool = False) -> None:
        self._name = name
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._every = _REFRESH_SECONDS if self._terminal else LINE_EVERY_SECONDS
        self._next = monotonic() + self._every
        self._width = 0

    def close(self) -> None:
        """Take the line away."""
        self.clear()

    def __call__(self, stats: PipelineStats) -> None:
        """Show the state if it is time to."""
        if self._quiet or monotonic() < self._next:
            return
        self._next = monotonic() + self._every
        line = status_line(self._name, stats)
        if not self._terminal:
            sys.stderr.write(f"{line}\n")
            return
        sys.stderr.write(f"\r{line.ljust(self._width)}")
        sys.stderr.flush()
        self._width = len(line)

    def clear(self) -> None:
        """Make room for another line."""
        if self._width:
            sys.stderr.write(f"\r{' ' * self._width}\r")
            sys.stderr.flush()
            self._width = 0


def status_line(name: str, stats: PipelineStats) -> str:
    """Frames, speed, drops, glass-to-glass latency, its jitter, and the median of each stage."""
    glass, jitter = stats.glass_latency, stats.jitter.histogram
    stages = ", ".join(
        f"{stage} {latency.percentile_ms(50):.0f}" for stage, latency in stats.stage_latency.items()
    )
    return (
        f"{name}: {counted(stats.frames_written, 'frame')}, {stats.fps:.1f} fps, "
        f"{stats.frames_dropped} dropped, latency p50 {glass.percentile_ms(50):.0f} ms "
        f"p99 {glass.percentile_ms(99):.0f} ms, jitter p95 {jitter.percentile_ms(95):.0f} ms, "
        f"p50 of {stages} ms"
    )
