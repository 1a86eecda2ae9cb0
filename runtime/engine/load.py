"""Deserialises engines whose seal was checked."""

from __future__ import annotations

import tensorrt as trt

from ...imaging.errors import BackendError
from .build import VERSION, Log
from .cache import CachedEngine


class LoadedEngine:
    """An engine on the GPU, with what has to live as long as it does."""

    def __init__(self, cached: CachedEngine) -> None:
        """Raises BackendError if TensorRT refuses it."""
        self.profile = cached.sidecar.key.profile
        self.build_seconds = cached.sidecar.build_seconds
        self._log = Log()
        self._runtime = trt.Runtime(self._log)
        engine = self._runtime.deserialize_cuda_engine(cached.plan)
        if engine is None:
            raise BackendError(f"TensorRT {VERSION} refuses the engine: {self._log.reason()}")
        self.engine: trt.ICudaEngine = engine
