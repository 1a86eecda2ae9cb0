"""What frames cost around the network: `Upscaler` beside the bare ONNX Runtime call.

Four variants of one network, alternating within one run, on the same provider and threads:

- `bare`: `session.run` of the float form (see `float_network`): float32 1×3×H×W in, already
  prepared, and float32 1×3×sH×sW out, left as it is. Every other time is divided by this one.
- `bare, output bound`: the same with its output written to one prepared array (I/O binding).
- `Upscaler`: `upscaler(frame, out=frame)`, uint8 BGR H×W×3 in and out.
- `NumPy pre/post`: what scripts do around the bare call. uint8 BGR H×W×3 is reversed to RGB, made
  float32, divided by 255 and transposed; the result is clipped, transposed, reversed to BGR, times
  255, rounded and made contiguous uint8.

Given are the ratio of the medians and the median of the ratios of neighbouring calls, which a
machine that slows down for a while disturbs less. The results of `Upscaler` and of the NumPy path
are compared, so that a wrong answer cannot be called fast.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..machine.facts import describe_machine
from ..machine.monitor import Monitor
from ..report.checks import (
    agreement_warnings,
    int8_warnings,
    machine_warnings,
    require_size,
    variation_warnings,
)
from ..report.documents import Overhead
from ..report.model import new_document
from ..report.results import OverheadResults, Relative
from ..shared.float_session import FloatSession
from ..shared.frames import agreement, finish, input_frames, prepare
from ..shared.settings import LatencySettings
from ..shared.statistics import summarise
from ..shared.timing import alternate

BARE = "bare"
BOUND = "bare, output bound"
UPSCALER = "Upscaler"
NUMPY = "NumPy pre/post"


def measure_overhead(model: str | Path, settings: LatencySettings) -> Overhead:
    """Measure and return the report; `settings.batch` must be 1.

    Raises ModelError, BackendError, MissingDependencyError.
    """
    if settings.batch != 1:
        raise ValueError(f"overhead is measured with single frames, got batch {settings.batch}")
    machine = describe_machine()
    frame = input_frames(settings)[0]
    with settings.load(model) as upscaler:
        require_size(upscaler.spec, settings.height, settings.width)
        plain = FloatSession.of(upscaler, settings.device)
        s = upscaler.scale
        out = np.empty((s * settings.height, s * settings.width, 3), np.uint8)
        prepared = prepare(frame)
        bound = plain.bind(prepared, (1, 3, *out.shape[:2]))
        variants: dict[str, Callable[[], object]] = {
            BARE: lambda: plain.run(prepared),
            BOUND: bound,
            UPSCALER: lambda: upscaler(frame, out=out),
            NUMPY: lambda: finish(plain.run(prepare(frame))),
        }
        same = agreement(upscaler(frame), finish(plain.run(prepared)))
        monitor = Monitor(gpu=bool(machine.gpus))
        timed = alternate(variants, settings.seconds, settings.iterations, monitor.sample)
        conditions = monitor.report()
        samples = {name: values.samples_ms for name, values in timed.items()}
        steady = {name: values.steady for name, values in timed.items()}
        compared = {
            name: Relative.beside(samples[BARE], values) for name, values in samples.items()
        }
        results = OverheadResults(variants=compared, agreement=same, conditions=conditions)
        summaries = {name: summarise(values) for name, values in samples.items()}
        warnings = [
            *machine_warnings(machine, conditions),
            *int8_warnings(machine, {upscaler.spec.name: upscaler.describe()}),
            *variation_warnings(summaries, steady),
            *agreement_warnings({NUMPY: same}),
        ]
        return new_document(Overhead, machine, settings, results, warnings, upscaler)
