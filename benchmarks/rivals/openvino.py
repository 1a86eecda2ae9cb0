"""The framelift model itself in OpenVINO, which takes its uint8 frames as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino

from ...runtime.models.file import load as load_model
from ...runtime.models.zoo import resolve
from ..shared.frames import Frames
from ..shared.graph_cost import fix_shape
from ..shared.settings import LatencySettings
from .base import Rival


class Openvino(Rival):
    """OpenVINO's CPU plugin, tuned for latency, float32 as the model is."""

    def __init__(self, model: str | Path, case: LatencySettings) -> None:
        spec, proto = load_model(resolve(model))
        super().__init__("openvino", spec.scale, spec.precision, case)
        fix_shape(proto, (case.batch, case.height, case.width, 3))
        core = openvino.Core()
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": self.threads,
            # It would compute in bfloat16 where the processor can.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self._compiled = core.compile_model(
            core.read_model(proto.SerializeToString()), "CPU", settings
        )
        self._request = self._compiled.create_infer_request()
        self.engine = f"OpenVINO {openvino.__version__}"

    def __call__(self, frame: Frames, out: Frames | None = None) -> Frames:
        batch = frame[np.newaxis] if frame.ndim == 3 else frame
        result: Frames = self._request.infer([batch])[self._compiled.output(0)]
        return result[0].copy() if frame.ndim == 3 else result.copy()
