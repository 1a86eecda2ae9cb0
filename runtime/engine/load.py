"""Deserialises engines whose seal was checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...imaging.errors import BackendError
from .cache import CachedEngine
from .entry import Entry
from .library import Library

if TYPE_CHECKING:
    import tensorrt


class LoadedEngine:
    """An engine on the GPU, with what has to live as long as it does."""

    def __init__(self, library: Library, cached: CachedEngine) -> None:
        """Raises BackendError if TensorRT refuses it."""
        self.profile = cached.sidecar.key.profile
        self.build_seconds = cached.sidecar.build_seconds
        self.entry = Entry(library)
        self._runtime = self.entry.runtime()
        engine = self._runtime.deserialize_cuda_engine(cached.plan)
        if engine is None:
            raise BackendError(f"{library} refuses the engine: {self.entry.complaints.reason()}")
        self.engine: tensorrt.ICudaEngine = engine
