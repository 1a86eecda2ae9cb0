"""What an imported model must prove before it is written: it computes what the file computes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx

from ..common.errors import ExportError
from ..common.notes import Say
from ..export.check.node_rules import tensorrt_problems
from ..export.check.targets import TARGETS, target_window
from ..export.check.typed_graph import TypedGraph
from ..export.parity.comparison import Frames, Parity, compare, onnx_frames, reference_frames
from ..export.parity.half_gate import HalfRunner, Peak
from .inspection.session import Reading, RunError
from .inspection.sizes import Taken


def require_parity(
    model: onnx.ModelProto, reading: Reading, taken: Taken, window: int, precision: str
) -> list[Parity]:
    """Compare the model, in plain ONNX Runtime, with the file itself.

    Raises ExportError with the first numbers beyond the limit of that precision.
    """
    run = onnx_frames(model)
    limits = "fp16" if precision == "fp16" else "fp32"  # int8 too is the same arithmetic
    measured = []
    for name, frames in _cases(model, taken, window):
        try:
            wanted = _by_file(reading, frames, window)
        except RunError as error:
            raise ExportError(f"the file fails on {name} {frames.shape}: {error}") from error
        parity = compare(name, frames.shape, wanted, run(frames))
        failure = parity.failure(limits)
        if failure is not None:
            raise ExportError(
                f"the imported model is not the file on {parity.label()}: {failure}; nothing was "
                "written"
            )
        measured.append(parity)
    return measured


def judge_half_precision(
    model: onnx.ModelProto, reading: Reading, taken: Taken, window: int
) -> tuple[Peak | None, str]:
    """The largest value that an fp16 model meets, and what is wrong with it on GPUs, or "".

    Processors compute half precision in float32, so that the file itself does not show it there.
    """
    try:
        run = HalfRunner(model)
        for name, frames in _cases(model, taken, window):
            label = f"{name} {'×'.join(map(str, frames.shape[:3]))}"
            parity = compare(
                name, frames.shape, _by_file(reading, frames, window), run(frames, label)
            )
            if failure := parity.failure("fp16"):
                return run.peak, f"in half precision another picture on {label}: {failure}"
    except ExportError as error:
        return None, str(error).partition(";")[0]
    return run.peak, ""


def note_refusing_targets(model: onnx.ModelProto, opset: int, say: Say) -> None:
    """A line on each reason why other runtimes than ONNX Runtime do not take the model."""
    graph = TypedGraph(model)
    refusing: dict[str, list[str]] = {}
    for target in TARGETS:
        window = target_window(target)
        if not window.admits(opset):
            refusing.setdefault(f"opset {opset}", []).append(
                f"{window.tool} ({window.lowest} to {window.highest})"
            )
        elif target.startswith("tensorrt"):
            errors = [found for found in tensorrt_problems(graph, target) if found.is_error]
            if errors:
                more = f" and {len(errors) - 1} more" if errors[1:] else ""
                problem = f"{errors[0].where}: {errors[0].problem}{more}"
                refusing.setdefault(problem, []).append(target)
    for problem, tools in refusing.items():
        say(f"not for {', '.join(tools)}: {problem}")


def _cases(model: onnx.ModelProto, taken: Taken, window: int) -> Iterator[tuple[str, Frames]]:
    """The frames of exports, in sizes that the model takes; of several frames windows of them."""
    batch = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value or None
    sizes = taken.sizes(1 if window > 1 else batch)
    for name, frames in reference_frames(sizes):
        if window == 1:
            yield name, frames
            continue
        rng = np.random.default_rng(0)
        shifts = rng.integers(-3, 4, (window, 2))
        yield name, np.stack([np.roll(frames[0], shift, (0, 1)) for shift in shifts])


def _by_file(reading: Reading, frames: Frames, window: int) -> Frames:
    windows = [frames] if window > 1 else [frame[None] for frame in frames]
    return np.stack([reading.levels(part) for part in windows])
