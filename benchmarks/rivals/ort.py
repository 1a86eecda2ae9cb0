"""Plain ONNX Runtime with NumPy before and after, as most scripts do it."""

from __future__ import annotations

from pathlib import Path

from ..shared.float_session import FloatSession
from ..shared.frames import Frames, finish, prepare
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
