"""Plain ONNX Runtime: with NumPy before and after, as most scripts do it, and on an NVIDIA GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...common.errors import BackendError, FrameliftError
from ...common.text import first_line
from ...runtime.machine.nvidia import device_name
from ...runtime.models.file import read_spec
from ...runtime.models.int8_form import refuse_for_processors
from ...runtime.models.zoo import resolve
from ...runtime.ort.library import load_onnxruntime
from ..shared.float_session import FloatSession
from ..shared.frames import Frames, finish, prepare
from ..shared.ort_provider import CUDA, open_session
from ..shared.settings import LatencySettings
from .base import Rival, plain_network


class OrtNumpy(Rival):
    """The float network on ONNX Runtime's CPU provider."""

    def __init__(self, model: str | Path, case: LatencySettings) -> None:
        spec, network = plain_network(model, case)
        super().__init__("ort-numpy", spec.scale, spec.precision, case)
        self._session = FloatSession(network.SerializeToString(), threads=self.threads)
        self.engine = self._session.engine

    def __call__(self, frame: Frames, out: Frames | None = None) -> Frames:
        return finish(self._session.run(prepare(frame)))


class OrtCuda(Rival):
    """`session.run` of uint8 frames, by the framelift file itself, on the CUDA provider, with the
    options that the runtime uses.

    It copies from and to memory that is not page-locked, and starts each operator by itself.
    """

    def __init__(self, model: str | Path, case: LatencySettings) -> None:
        spec = read_spec(resolve(model))
        refuse_for_processors(spec, "ort-cuda")
        super().__init__("ort-cuda", spec.scale, spec.precision, case)
        number = case.device or 0
        self.device = device_name(number)
        try:
            self._session: Any = open_session(spec.data, CUDA, spec.precision, case.threads, number)
        except FrameliftError:
            raise
        except Exception as error:
            raise BackendError(f"ort-cuda cannot load the model: {first_line(error)}") from error
        self._input = self._session.get_inputs()[0].name
        self.engine = f"onnxruntime {load_onnxruntime().__version__}"

    def __call__(self, frame: Frames, out: Frames | None = None) -> Frames:
        batch = frame[np.newaxis] if frame.ndim == 3 else frame
        result: Frames = self._session.run(None, {self._input: batch})[0]
        return result[0] if frame.ndim == 3 else result

    def describe(self) -> dict[str, str | int]:
        return {**super().describe(), "provider": CUDA}

    def close(self) -> None:
        self._session = None
