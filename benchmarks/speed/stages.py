"""What the time of each call is spent on, where the backend reports it."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from ...runtime import Upscaler
from ..rivals.contender import Contender


class StageRecorder:
    """Wraps a call on a contender and keeps the ms of each stage of each call."""

    def __init__(self, contender: Contender, call: Callable[[], object]) -> None:
        self._upscaler = contender if isinstance(contender, Upscaler) else None
        self._call = call
        self._calls: list[dict[str, float]] = []

    def __call__(self) -> None:
        if self._upscaler is None:
            self._call()
            return
        before = self._upscaler.stage_seconds
        self._call()
        after = self._upscaler.stage_seconds
        self._calls.append({name: 1000 * (after[name] - before[name]) for name in after})

    def medians(self, samples_ms: list[float]) -> dict[str, float] | None:
        """Stage to median ms over the last calls, which took `samples_ms`; `rest` is what they
        spent outside of the stages. None for rivals and backends that do not report it.
        """
        calls = self._calls[-len(samples_ms) :]
        if not calls or not calls[0]:
            return None
        pairs = list(zip(calls, samples_ms, strict=True))
        stages = {name: median(call[name] for call in calls) for name in calls[0]}
        return stages | {
            "rest": median(max(0.0, whole - sum(call.values())) for call, whole in pairs)
        }
