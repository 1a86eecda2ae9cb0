"""A contract-2 model in ONNX Runtime's CPU provider, as the file stands."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ..imaging.errors import ExportError
from ..runtime.backends.engine import load_onnxruntime

Frames = NDArray[np.uint8]


def open_session(model: onnx.ModelProto, optimisation: object = None) -> Any:  # noqa: ANN401
    """A session with ONNX Runtime's own settings, or another level of optimisation.

    Raises ExportError if it refuses the model.
    """
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
        raise ExportError(
            f"ONNX Runtime refuses the model: {str(error).strip().splitlines()[0]}"
        ) from error


def run_session(session: Any, frames: Frames) -> list[NDArray[Any]]:  # noqa: ANN401
    """All outputs on one batch of frames. Raises ExportError if the run fails."""
    try:
        outputs: list[NDArray[Any]] = session.run(None, {"frames": np.ascontiguousarray(frames)})
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ExportError(f"ONNX Runtime fails on {frames.shape}: {reason}") from error
    return outputs
