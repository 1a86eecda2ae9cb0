"""Time relative to ESPCN (Shi et al. 2016), the network that small ones are commonly measured by.

ESPCN here means RGB in and out: convolutions 5×5×64 and 3×3×32 with tanh, 3×3×3s², pixel shuffle;
random weights, float32. Every model and the ESPCN of its scale run in turn, each in two forms:

- `network`: alone in ONNX Runtime, float32 1×3×H×W in and out (see `float_network`); an int8 model
  with its Q/DQ pairs inside;
- `frames`: through `Upscaler`, uint8 BGR H×W×3 in and out.

Each form is compared with the same form of ESPCN, both on the same provider and threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from ...common.notes import Say, silent
from ...runtime import Upscaler
from ...runtime.models.zoo import resolve
from ..machine.facts import describe_machine
from ..machine.monitor import Monitor
from ..report.checks import (
    agreement_warnings,
    int8_warnings,
    machine_warnings,
    require_size,
    require_super_resolution,
    variation_warnings,
)
from ..report.documents import Espcn
from ..report.model import describe_model, describe_runtime, new_document
from ..report.results import EspcnResults, EspcnRow, Relative
from ..shared.float_session import FloatSession
from ..shared.frames import Agreement, agreement, finish, input_frames, prepare
from ..shared.settings import LatencySettings
from ..shared.statistics import summarise
from ..shared.timing import alternate

NETWORK, FRAMES = "network", "frames"
FORMS = (NETWORK, FRAMES)

_LAYERS = ((5, 3, 64), (3, 64, 32))
_SEED = 0


@dataclass
class _Runner:
    """A model, or ESPCN, in both forms."""

    upscaler: Upscaler
    calls: dict[str, Callable[[], object]]
    same: Agreement

    @property
    def scale(self) -> int:
        return self.upscaler.scale


def measure_espcn(
    models: Sequence[str | Path],
    settings: LatencySettings,
    progress: Say = silent,
) -> Espcn:
    """Measure `models` beside the ESPCN of their scales and return the report.

    `settings.batch` must be 1. Raises ConfigError for a style model, ModelError when the float form
    of a model cannot be derived, BackendError, MissingDependencyError.
    """
    if settings.batch != 1:
        raise ValueError(f"ESPCN is measured with single frames, got batch {settings.batch}")
    machine = describe_machine()
    with ExitStack() as stack:
        runners = [_open(stack, resolve(model), settings) for model in models]
        folder = Path(stack.enter_context(TemporaryDirectory()))
        references = {}
        for scale in sorted({runner.scale for runner in runners}):
            path = folder / f"espcn-x{scale}.onnx"
            path.write_bytes(espcn_model(scale).SerializeToString())
            references[scale] = _open(stack, path, settings)
        everyone = {f"model {index}": runner for index, runner in enumerate(runners)}
        everyone |= {f"ESPCN ×{scale}": runner for scale, runner in references.items()}
        variants = {
            (name, form): runner.calls[form] for name, runner in everyone.items() for form in FORMS
        }
        progress(f"{len(runners)} models beside ESPCN")
        monitor = Monitor(gpu=bool(machine.gpus))
        timed = alternate(
            variants,
            settings.seconds,
            settings.iterations,
            monitor.sample,
            most_seconds=settings.most_seconds,
        )
        conditions = monitor.report()

        def row(name: str, runner: _Runner) -> EspcnRow:
            reference = f"ESPCN ×{runner.scale}"
            return EspcnRow(
                scale=runner.scale,
                model=describe_model(runner.upscaler.spec),
                runtime=describe_runtime(runner.upscaler),
                agreement=runner.same,
                **{
                    form: Relative.beside(
                        timed[reference, form].samples_ms, timed[name, form].samples_ms
                    )
                    for form in FORMS
                },
            )

        results = EspcnResults(
            models=[row(f"model {index}", runner) for index, runner in enumerate(runners)],
            references=[row(f"ESPCN ×{s}", runner) for s, runner in references.items()],
            conditions=conditions,
        )
    facts = {row.model.name: row.runtime for row in results.models}
    titles = {name: runner.upscaler.spec.name for name, runner in everyone.items()}
    named = {f"{titles[name]}, {form}": samples for (name, form), samples in timed.items()}
    warnings = [
        *machine_warnings(machine, conditions),
        *int8_warnings(machine, facts),
        *variation_warnings(
            {name: summarise(samples.samples_ms) for name, samples in named.items()},
            {name: samples.steady for name, samples in named.items()},
        ),
        *agreement_warnings({titles[name]: runner.same for name, runner in everyone.items()}),
    ]
    return new_document(Espcn, machine, settings, results, warnings)


def _open(stack: ExitStack, path: Path, settings: LatencySettings) -> _Runner:
    upscaler = stack.enter_context(settings.load(path))
    require_super_resolution(upscaler.spec, "a comparison with ESPCN")
    require_size(upscaler.spec, settings.height, settings.width)
    network = FloatSession.of(upscaler, settings.device)
    frame = input_frames(settings)[0]
    prepared = prepare(frame)
    out = upscaler(frame)
    same = agreement(out, finish(network.run(prepared)))
    calls: dict[str, Callable[[], object]] = {
        NETWORK: lambda: network.run(prepared),
        FRAMES: lambda: upscaler(frame, out=out),
    }
    return _Runner(upscaler, calls, same)


def espcn_model(scale: int) -> onnx.ModelProto:
    """ESPCN with random weights as a framelift model: uint8 N×H×W×3 BGR in and out."""
    rng = np.random.default_rng(_SEED)
    nodes = [
        helper.make_node("Cast", ["frames"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["nchw"], perm=[0, 3, 1, 2]),
    ]
    weights: dict[str, np.ndarray[Any, np.dtype[Any]]] = {
        "black": np.array(0.0),
        "white": np.array(255.0),
    }
    value = "nchw"
    for index, (size, inputs, outputs) in enumerate((*_LAYERS, (3, 32, 3 * scale**2))):
        last = index == len(_LAYERS)
        # 0–255 comes in, 0–255 goes out, about the middle of it.
        gain = (40 if last else 1 / 128 if index == 0 else 1) / np.sqrt(size * size * inputs)
        weights[f"w{index}"] = rng.normal(0, gain, (outputs, inputs, size, size))
        weights[f"b{index}"] = np.full(outputs, 127.5 if last else 0.0)
        names = [value, f"w{index}", f"b{index}"]
        value = f"conv{index}"
        nodes.append(
            helper.make_node("Conv", names, [value], kernel_shape=[size] * 2, pads=[size // 2] * 4)
        )
        if not last:
            nodes.append(helper.make_node("Tanh", [value], [f"tanh{index}"]))
            value = f"tanh{index}"
    nodes += [
        helper.make_node("Clip", [value, "black", "white"], ["clamped"]),
        helper.make_node("Floor", ["clamped"], ["levels"]),
        helper.make_node("DepthToSpace", ["levels"], ["pixels"], blocksize=scale, mode="CRD"),
        helper.make_node("Transpose", ["pixels"], ["nhwc"], perm=[0, 2, 3, 1]),
        helper.make_node("Cast", ["nhwc"], ["upscaled"], to=TensorProto.UINT8),
    ]
    describe = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "espcn",
        [describe("frames", TensorProto.UINT8, ["n", "h", "w", 3])],
        [describe("upscaled", TensorProto.UINT8, ["n", f"{scale}h", f"{scale}w", 3])],
        [onnx.numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    metadata = {
        "format": "1",
        "name": f"espcn-x{scale}",
        "task": "super-resolution",
        "scale": str(scale),
        "size_multiple": "1",
        "halo": "4",
        "precision": "fp32",
        "opset": "20",
        "network": '{"name": "espcn"}',
        "weights_sha256": f"espcn x{scale}, seed {_SEED}",
        "parity": "{}",
        "created_with": "{}",
        "licence": "Apache-2.0",
    }
    helper.set_model_props(model, {f"framelift.{key}": value for key, value in metadata.items()})
    return model
