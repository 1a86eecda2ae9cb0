"""The latency of all models by one engine, each written down as it is measured.

python -m hardware.parts.latency ENGINE [--dry-run]
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from itertools import cycle

from msgspec import to_builtins

from framelift.benchmarks.rivals import is_rival
from framelift.benchmarks.rivals.contender import Contender, arrays_for, open_contender
from framelift.benchmarks.shared.frames import agreement
from framelift.benchmarks.shared.settings import LatencySettings
from framelift.benchmarks.shared.statistics import summarise
from framelift.benchmarks.shared.timing import alternate
from framelift.common.errors import FrameliftError
from framelift.common.text import first_line
from framelift.runtime import Upscaler
from framelift.runtime.backends.select import BACKENDS
from framelift.runtime.models.file import ModelSpec, read_spec
from framelift.runtime.models.int8_form import form_problem
from framelift.runtime.models.zoo import shipped_models

from .. import results

_SIZE, _SECONDS, _CALLS = (480, 270), 0.7, 30
_SMALL_SIZE, _SMALL_SECONDS, _SMALL_CALLS, _FEW_MODELS = (48, 32), 0.05, 3, 2
# Of the values within one code of the processor's; half precision rounds elsewhere.
_LEAST_SHARE = 0.999
# What the others are compared with comes first; then one of each network, then their variants.
_FIRST = ("realtime-small-x4", "realtime-medium-x4", "realtime-nano-x4", "realtime-small-x2")


def main(engine: str, dry_run: bool) -> int:
    """Measure until all are, or the time is over; the exit code is 1 if one failed."""
    reason = None if is_rival(engine) else BACKENDS[engine].missing()
    if reason is not None:
        results.add("left out", engine=engine, reason=reason)
        return 0
    width, height = _SMALL_SIZE if dry_run else _SIZE
    seconds, calls = (_SMALL_SECONDS, _SMALL_CALLS) if dry_run else (_SECONDS, _CALLS)
    case = LatencySettings(
        width, height, backend=engine, seconds=seconds, iterations=calls, most_seconds=3 * seconds
    )
    models = _in_order()[: _FEW_MODELS if dry_run else None]
    failed, longest = 0, 0.0
    for index, spec in enumerate(models):
        if longest > results.seconds_left():
            results.add(
                "left out", engine=engine, reason=f"no time for {len(models) - index} more models"
            )
            break
        started = time.monotonic()
        try:
            _measure(spec, case)
        except (FrameliftError, RuntimeError) as error:  # the latter is PyTorch's
            results.add("left out", engine=engine, model=spec.name, reason=first_line(error))
            if index == 0 and isinstance(error, FrameliftError):  # the others would say the same
                return 0
            failed += 1
        longest = max(longest, time.monotonic() - started)
    return 1 if failed else 0


def _measure(spec: ModelSpec, case: LatencySettings) -> None:
    started = time.monotonic()
    with closing(open_contender(spec.path, case)) as contender:
        frames, out = arrays_for(contender, case)
        first = contender(frames[0], out=out).copy()
        ready = time.monotonic() - started
        inputs = cycle(frames)
        samples = alternate(
            {case.backend: lambda: contender(next(inputs), out=out)},
            case.seconds,
            case.iterations,
            most_seconds=case.most_seconds,
        )[case.backend]
        summary = summarise(samples.samples_ms)
        with Upscaler.load(spec.path, "onnx-cpu") as reference:
            same = agreement(reference(frames[0]), first)
        results.add(
            "case",
            engine=case.backend,
            model=spec.name,
            precision=spec.precision,
            size=f"{case.width}×{case.height}",
            p50_ms=summary.p50_ms,
            p99_ms=summary.p99_ms,
            cv=summary.cv,
            count=summary.count,
            steady=samples.steady,
            first_frame_s=round(ready, 2),
            agreement=to_builtins(same),
            least_share=_LEAST_SHARE,
            describe=_described(contender),
        )


def _in_order() -> list[ModelSpec]:
    """The shipped models that a GPU runs."""
    specs = [read_spec(path) for path in shipped_models().values()]
    specs = [spec for spec in specs if form_problem(spec) is None]
    specs.sort(
        key=lambda spec: (len(spec.name), spec.name)
    )  # plain names are shorter than variants
    first = [spec for name in _FIRST for spec in specs if spec.name == name]
    networks = {_network(spec) for spec in first}
    others, variants = list[ModelSpec](), list[ModelSpec]()
    for spec in specs:
        if spec in first:
            continue
        (variants if _network(spec) in networks else others).append(spec)
        networks.add(_network(spec))
    return [*first, *others, *variants]


def _network(spec: ModelSpec) -> str:
    return json.dumps(spec.network, sort_keys=True)


def _described(contender: Contender) -> str:
    facts = contender.describe()
    keys = ("engine", "device", "copies", "cuda_graph", "layout", "shapes", "threads")
    return ", ".join(f"{key} {facts[key]}" for key in keys if key in facts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], "--dry-run" in sys.argv[2:]))
