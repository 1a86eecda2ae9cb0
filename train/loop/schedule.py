"""Learning-rate schedules as a function of the step, so that resuming needs no state."""

from __future__ import annotations

import math

from ..config.schema import ScheduleConfig


def learning_rate_factor(schedule: ScheduleConfig, step: int, steps: int) -> float:
    """Factor of the base learning rate at `step` (from 0) of a run of `steps`."""
    if step < schedule.warmup:
        return (step + 1) / schedule.warmup
    match schedule.kind:
        case "constant":
            return 1.0
        case "cosine":
            done = (step - schedule.warmup) / max(1, steps - schedule.warmup)
            cosine = 0.5 * (1 + math.cos(math.pi * done))
            return schedule.final + (1 - schedule.final) * cosine
        case "step":
            return float(schedule.gamma ** sum(step >= m for m in schedule.milestones))
