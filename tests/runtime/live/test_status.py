"""The line that a live run shows."""

from __future__ import annotations

from framelift.runtime.live.status import status_line
from framelift.runtime.video.stats import PipelineStats


def test_the_line_has_the_latencies_of_the_whole_and_of_each_stage() -> None:
    stats = PipelineStats(frames_written=50, frames_dropped=3, wall_seconds=2.0)
    for stage, seconds in (("decode", 0.002), ("upscale", 0.030), ("encode", 0.005)):
        stats.worked(stage, seconds)
    stats.glass_latency.add(0.1)
    assert status_line("cam", stats) == (
        "cam: 50 frames, 25.0 fps, 3 dropped, latency p50 100 ms p99 100 ms, jitter p95 0 ms, "
        "p50 of decode 2, upscale 30, encode 5 ms"
    )
