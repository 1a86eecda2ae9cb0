"""Any super-resolution model in the common form: float N×3×H×W, RGB, 0–1, in and out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...common.errors import BackendError, ModelError
from ...common.text import first_line
from ..shared.float_session import FloatSession
from ..shared.frames import Frames, finish, prepare
from ..shared.settings import LatencySettings
from .base import Rival


class ForeignModel(Rival):
    """An .onnx file on ONNX Runtime's CPU provider with NumPy before and after."""

    def __init__(self, path: Path, case: LatencySettings) -> None:
        """Load the file. Raises ModelError when it is missing or takes and gives no such images."""
        if not path.is_file():
            raise ModelError(f"{path}: no such file")
        super().__init__(path.stem, 1, "fp32", case)
        self._file = path.name
        try:
            self._session = FloatSession(path.read_bytes(), threads=self.threads)
        except BackendError as error:
            raise ModelError(f"{path}: {error}") from error
        self.engine = self._session.engine
        inputs = self._session.inputs
        if len(inputs) != 1 or inputs[0].type != "tensor(float)" or inputs[0].shape[1:2] != [3]:
            taken = ", ".join(f"{one.type} {one.shape}" for one in inputs)
            raise ModelError(
                f"{path}: takes no float N×3×H×W images but {taken} (a framelift model is named "
                "before the options)"
            )
        self.scale = self._measure_scale(path, case)

    def __call__(self, frame: Frames, out: Frames | None = None) -> Frames:
        return finish(self._session.run(prepare(frame)))

    def describe(self) -> dict[str, str | int]:
        return {**super().describe(), "network": self._file}

    def _measure_scale(self, path: Path, case: LatencySettings) -> int:
        images = np.zeros((case.batch, 3, case.height, case.width), np.float32)
        try:
            result = self._session.run(images)
        except Exception as error:  # ONNX Runtime's exceptions have no common base
            raise ModelError(
                f"{path}: does not take frames of {case.width}×{case.height} ({first_line(error)})"
            ) from error
        shape = getattr(result, "shape", ())  # a sequence or a map has none
        scale: int = shape[-1] // case.width if shape else 0
        if scale < 1 or shape != (case.batch, 3, scale * case.height, scale * case.width):
            raise ModelError(
                f"{path}: made {shape or 'no image'} of {images.shape}, not an upscaling by a "
                "whole number"
            )
        return scale
