"""What the time of one call is spent on, where the backend tells."""

from __future__ import annotations

from statistics import median

from ..runtime import Upscaler
from .contender import Contender
from .frames import Frames
from .timing import time_ms

_CALLS = 15


def median_stages(contender: Contender, frame: Frames, out: Frames) -> dict[str, float] | None:
    """Stage to median ms over some calls, in the order of the stages; None for rivals and backends
    that do not tell. `rest` is what a call spends outside of them.
    """
    if not isinstance(contender, Upscaler):
        return None
    calls = [_stages(contender, frame, out) for _ in range(_CALLS)]
    if len(calls[0]) == 1:
        return None
    return {name: median(call[name] for call in calls) for name in calls[0]}


def _stages(upscaler: Upscaler, frame: Frames, out: Frames) -> dict[str, float]:
    before = upscaler.stage_seconds
    whole_ms = time_ms(lambda: upscaler(frame, out=out))
    stages = {
        name: 1000 * (seconds - before[name]) for name, seconds in upscaler.stage_seconds.items()
    }
    return {**stages, "rest": max(0.0, whole_ms - sum(stages.values()))}
