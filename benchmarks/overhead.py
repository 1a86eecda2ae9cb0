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

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import sleep
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..imaging.errors import BackendError
from ..runtime import Upscaler
from ..runtime.backends.engine import load_onnxruntime
from ..runtime.model_file import load
from .checks import machine_warnings, variation_warnings
from .float_network import INPUT, OUTPUT, float_network
from .latency import LatencySettings, input_frames
from .machine import describe_machine
from .report import Document, build
from .statistics import summarise
from .timing import no_garbage_collection, repeat, time_ms, warm_up

BARE = "bare"
BOUND = "bare, output bound"
UPSCALER = "Upscaler"
NUMPY = "NumPy pre/post"

Frame = NDArray[np.uint8]

# ONNX Runtime's threads spin for a moment after a call; the next variant must not share cores
# with those of the one before.
_PAUSE_SECONDS = 0.005
_MIN_AGREEMENT = 0.999


def measure_overhead(model: str | Path, settings: LatencySettings) -> Document:
    """Measure and return the report; `settings.batch` must be 1.

    Raises ModelError, BackendError, MissingDependencyError.
    """
    if settings.batch != 1:
        raise ValueError(f"overhead is measured with single frames, got batch {settings.batch}")
    machine = describe_machine()
    frame = input_frames(settings)[0]
    with Upscaler.load(model, backend=settings.backend, threads=settings.threads) as upscaler:
        plain = FloatSession(upscaler)
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
        samples, steady = _alternate(variants, settings)
        results = {"variants": _compare(samples), "agreement": asdict(same)}
        summaries = {name: summarise(values) for name, values in samples.items()}
        warnings = [*machine_warnings(machine), *variation_warnings(summaries, steady)]
        if same.share_within_1 < _MIN_AGREEMENT:
            warnings.append(
                "Upscaler and the NumPy path give different images: the figures compare unlike work"
            )
        return build("overhead", machine, upscaler, asdict(settings), results, warnings)


class FloatSession:
    """The float form of an upscaler's model in ONNX Runtime, same provider and threads."""

    def __init__(self, upscaler: Upscaler) -> None:
        """Raises BackendError when the upscaler does not run on ONNX Runtime, and ModelError."""
        ort = load_onnxruntime()
        spec, model = load(upscaler.spec.path)
        facts = upscaler.describe()
        provider = str(facts["provider"])
        if provider not in ort.get_available_providers():
            raise BackendError(
                f"{facts['backend']} does not run in ONNX Runtime: nothing to compare"
            )
        options = ort.SessionOptions()
        options.log_severity_level = 4
        if "threads" in facts:
            options.intra_op_num_threads = int(facts["threads"])
        network = float_network(model, spec.name).SerializeToString()
        self._session: Any = ort.InferenceSession(network, options, providers=[provider])

    def run(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 1×3×H×W RGB 0–1 to 1×3×sH×sW, newly allocated, not clamped."""
        result: NDArray[np.float32] = self._session.run([OUTPUT], {INPUT: image})[0]
        return result

    def bind(self, image: NDArray[np.float32], shape: tuple[int, ...]) -> Callable[[], object]:
        """A call that reads `image` and writes one array of `shape`, both prepared once."""
        output = np.empty(shape, np.float32)
        binding = self._session.io_binding()
        binding.bind_cpu_input(INPUT, image)
        binding.bind_output(OUTPUT, "cpu", 0, np.float32, output.shape, output.ctypes.data)

        def call() -> NDArray[np.float32]:
            self._session.run_with_iobinding(binding)
            return output

        return call


def prepare(frame: Frame) -> NDArray[np.float32]:
    """uint8 H×W×3 BGR to float32 1×3×H×W RGB 0–1, as scripts do it."""
    rgb = frame[:, :, ::-1].astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(rgb.transpose(2, 0, 1))[np.newaxis]


def finish(image: NDArray[np.float32]) -> Frame:
    """float32 1×3×H×W RGB 0–1 to uint8 H×W×3 BGR, as scripts do it."""
    bgr = np.clip(image[0], 0, 1).transpose(1, 2, 0)[:, :, ::-1]
    return np.ascontiguousarray((bgr * 255).round().astype(np.uint8))


@dataclass(frozen=True)
class Agreement:
    """How far two images are apart, in codes; `share_within_1` is of all values."""

    max_abs: int
    share_within_1: float


def agreement(a: Frame, b: Frame) -> Agreement:
    """Compare two uint8 images of one shape."""
    difference = np.abs(a.astype(np.int16) - b)
    return Agreement(int(difference.max()), float(np.mean(difference <= 1)))


def _alternate(
    variants: dict[str, Callable[[], object]], settings: LatencySettings
) -> tuple[dict[str, list[float]], dict[str, bool]]:
    """Samples of each variant, taken in turn, every other round in reverse order."""
    samples: dict[str, list[float]] = {name: [] for name in variants}
    with no_garbage_collection():
        steady = {name: warm_up(partial(time_ms, call))[1] for name, call in variants.items()}
        for round_ in repeat(settings.seconds * len(variants), settings.iterations):
            order = list(variants) if round_ % 2 == 0 else list(reversed(variants))
            for name in order:
                sleep(_PAUSE_SECONDS)
                samples[name].append(time_ms(variants[name]))
    return samples, steady


def _compare(samples: dict[str, list[float]]) -> dict[str, dict[str, Any]]:
    bare = samples[BARE]
    return {
        name: {
            "latency": asdict(summarise(values)),
            "samples_ms": values,
            "ratio_of_medians": median(values) / median(bare),
            "median_of_ratios": median(_ratios(values, bare)),
        }
        for name, values in samples.items()
    }


def _ratios(values: Sequence[float], bare: Sequence[float]) -> list[float]:
    return [value / base for value, base in zip(values, bare, strict=True)]
