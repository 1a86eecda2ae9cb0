"""A contract-2 model in ONNX Runtime's CPU provider, unchanged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ...common.errors import ExportError
from ...common.text import first_line, one_line
from ...runtime.ort.library import load_onnxruntime

Frames = NDArray[Any]  # uint8 or uint16


def open_session(
    model: onnx.ModelProto, optimisation: object = None, outputs: Sequence[str] = ()
) -> Any:  # noqa: ANN401
    """A session with ONNX Runtime's own settings, or another level of optimisation.

    `outputs` are the values that it returns instead of the model's own output. Raises ExportError
    if it refuses the model.
    """
    if outputs:
        model = deepcopy(model)
        del model.graph.output[:]
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
    ort = load_onnxruntime()
    options = ort.SessionOptions()
    options.log_severity_level = 4
    if optimisation is not None:
        options.graph_optimization_level = optimisation
    try:
        return ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's own exception types share no public base
        raise ExportError(f"ONNX Runtime refuses the model: {first_line(error)}") from error


def unrounded(model: onnx.ModelProto) -> Callable[[Frames], NDArray[np.float32]]:
    """The model on 1×H×W×3 frames, up to where it clamps: sH×sW×3 in code values.

    Raises ExportError, as the function does.
    """
    nodes = {node.name: node for node in model.graph.node}
    levels, shuffle = nodes["clamp"].input[0], nodes.get("to_pixels")
    session = open_session(model, outputs=[levels])

    def run(frames: Frames) -> NDArray[np.float32]:
        values: NDArray[np.float32] = run_session(session, frames)[0][0] - 0.5  # that rounds
        if shuffle is not None:
            block = next(item.i for item in shuffle.attribute if item.name == "blocksize")
            _, height, width = values.shape
            apart = values.reshape(3, block, block, height, width).transpose(3, 1, 4, 2, 0)
            return apart.reshape(height * block, width * block, 3)
        return values.transpose(1, 2, 0)

    return run


def run_session(session: Any, frames: Frames) -> list[NDArray[Any]]:  # noqa: ANN401
    """All outputs on one batch of frames. Raises ExportError if the run fails."""
    try:
        outputs: list[NDArray[Any]] = session.run(None, {"frames": np.ascontiguousarray(frames)})
    except Exception as error:
        raise ExportError(
            f"ONNX Runtime fails on {frames.shape}: {one_line(error, 200)}"
        ) from error
    return outputs
