"""The machine's peaks beside a latency run: measured before and after it, the better one counts."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import asdict
from typing import Self

from ...common.closing import Closing
from ...common.errors import ConfigError, ModelError
from ...runtime import ModelSpec
from ...runtime.backends.cpu.widen import widen
from ...runtime.machine.host import available_processors
from ..machine.peaks import PeakMeter, Peaks, peak_meter
from ..machine.roofline import Roofline, compare_with_peak
from ..report.checks import require_size
from ..report.results import Peak
from ..rivals.contender import Contender
from ..shared.graph_cost import GraphCost, count
from ..shared.settings import GridSettings, LatencySettings
from ..shared.statistics import Summary

_Key = tuple[str, str, int]


class Limits(Closing):
    """Use as a context manager around the timed calls; `measure` after them."""

    def __init__(self, contenders: Iterable[Contender], settings: GridSettings) -> None:
        keys = {_key(contender) for contender in contenders} if settings.roofline else set()
        self._keys = sorted(keys)
        self._device = settings.device or 0
        self._stack = ExitStack()
        self._meters: dict[_Key, PeakMeter] = {}
        self._peaks: dict[_Key, Peaks] = {}
        self._costs: dict[tuple[str, bool, int, int, int], GraphCost | None] = {}
        self.notes: list[str] = []
        """Why a model has no share of a peak."""

    def __enter__(self) -> Self:
        for key in self._keys:
            if (meter := peak_meter(*key, self._device)) is not None:
                self._meters[key] = self._stack.enter_context(closing(meter))
        self.measure()
        return self

    def close(self) -> None:
        """Free what measures."""
        self._stack.close()

    def measure(self) -> None:
        """Measure every peak, once more if it was measured before."""
        for key, meter in self._meters.items():
            peaks = meter.measure()
            self._peaks[key] = peaks.better(self._peaks[key]) if key in self._peaks else peaks

    def describe(self) -> list[Peak]:
        """The peaks, for the report."""
        return [
            Peak(**asdict(peaks), operations=peaks.operations) for peaks in self._peaks.values()
        ]

    def roofline(
        self, spec: ModelSpec, case: LatencySettings, contender: Contender, summary: Summary
    ) -> Roofline | None:
        """The case's share of the limit; None without a peak to compare with, or for a rival that
        runs another network.
        """
        peaks, facts = self._peaks.get(_key(contender)), contender.describe()
        if peaks is None or contender.scale != spec.scale or "network" in facts:
            return None
        widened = facts.get("computed_in") == "float32"
        shape = (case.batch, case.height, case.width)
        work = (spec.sha256, widened, *shape)
        if work not in self._costs:
            self._costs[work] = self._cost(spec, widened, *shape)
        cost = self._costs[work]
        return None if cost is None else compare_with_peak(cost, peaks, summary.p50_ms)

    def _cost(
        self, spec: ModelSpec, widened: bool, batch: int, height: int, width: int
    ) -> GraphCost | None:
        """None, with a note, for a model whose work cannot be computed from its graph."""
        model = spec.model()
        if widened:
            widen(model.graph)
        try:
            require_size(spec, height, width)
            return count(model, batch, height, width)
        except (ConfigError, ModelError) as error:
            reason = "is run in tiles" if isinstance(error, ConfigError) else str(error)
            self.notes.append(f"{spec.name}, {width}×{height}: no share of the peak: {reason}")
            return None


def _key(contender: Contender) -> _Key:
    facts = contender.describe()
    provider = str(facts.get("provider", "CPUExecutionProvider"))
    threads = int(facts.get("threads", available_processors()))
    return provider, str(facts["precision"]), threads
