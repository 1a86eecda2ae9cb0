"""A TensorRT engine as a computation on frames of one shape.

From the second run on it is one CUDA graph.
"""

from __future__ import annotations

from typing import Any

import tensorrt as trt
from cuda.bindings import runtime

from ...common.errors import BackendError
from ..gpu.cuda import call
from ..gpu.memory import Resources
from ..gpu.shapes import FrameShape
from ..models.contract import INPUT, OUTPUT
from .bindings.entry import Entry
from .bindings.library import Library
from .cache.folder import CachedEngine


class EngineContext:
    """An execution context with its memory; see `runner.Computation`."""

    def __init__(self, loaded: LoadedEngine, shape: FrameShape, stream: Any) -> None:  # noqa: ANN401 - a CUDA handle
        """Allocate for `shape`, which the engine's profile must cover, to run on `stream`.

        Raises BackendError if the GPU has too little memory or TensorRT refuses the shape.
        """
        self.graph_problem = ""
        self._engine = loaded.engine
        self._complaints = loaded.entry.complaints
        self._stream = stream
        self._resources = Resources()
        self._graphs: dict[int, Any] = {}
        self._warm: set[int] = set()
        try:
            self._context: trt.IExecutionContext | None = self._open(shape)
        except BaseException:
            self._resources.close()
            raise

    @property
    def uses_graph(self) -> bool:
        """Whether the computation runs as a CUDA graph by now."""
        return bool(self._graphs)

    def launch(self, source: int, target: int) -> None:
        """Queue the engine on the stream; see `runner.Computation`."""
        if source in self._warm and source not in self._graphs and not self.graph_problem:
            self._capture(source, target)
        if source in self._graphs:
            call(runtime.cudaGraphLaunch, self._graphs[source], self._stream)
        else:
            self._enqueue(source, target)
            self._warm.add(source)

    def close(self) -> None:
        """Free the context, its memory and its graphs."""
        self._context = None
        self._graphs.clear()
        self._resources.close()

    def _open(self, shape: FrameShape) -> trt.IExecutionContext:
        self._complaints.forget()
        context = self._engine.create_execution_context(
            trt.ExecutionContextAllocationStrategy.USER_MANAGED
        )
        if context is None:
            raise self._failure("TensorRT cannot make an execution context (is memory short?)")
        if context.active_optimization_profile != 0:  # engines have one, chosen by most releases
            if not context.set_optimization_profile_async(0, int(self._stream)):
                raise self._failure("the engine's profile cannot be chosen")
            call(runtime.cudaStreamSynchronize, self._stream)
        if not context.set_input_shape(INPUT, shape.tensor()):
            raise self._failure(f"the engine does not take frames of {shape}")
        size = self._memory_size(context, shape)
        context.set_device_memory(self._resources.device(size), size)
        return context

    def _memory_size(self, context: trt.IExecutionContext, shape: FrameShape) -> int:
        """Bytes of activations of `shape`."""
        size = int(context.update_device_memory_size_for_shapes())
        if size > 0:
            return size
        # 0 means a failure, or an engine that needs none.
        most = self._engine.device_memory_size_v2
        if size < 0 or most > 0:
            raise self._failure(f"TensorRT does not report the memory for frames of {shape}")
        return 0

    def _enqueue(self, source: int, target: int) -> None:
        context = self._context
        if context is None:
            raise BackendError("the TensorRT session is closed")
        self._complaints.forget()
        for name, address in ((INPUT, source), (OUTPUT, target)):
            if not context.set_tensor_address(name, address):
                raise self._failure(f"TensorRT does not take the address of {name}")
        if not context.execute_async_v3(int(self._stream)):
            raise self._failure("TensorRT failed to run the engine")

    def _failure(self, what: str) -> BackendError:
        """The error for a call that TensorRT refused, with TensorRT's reason."""
        return BackendError(f"{what}: {self._complaints.reason()}")

    def _capture(self, source: int, target: int) -> None:
        """Record the computation between these addresses; what cannot be recorded is noted.

        TensorRT's first run at a shape does work of its own, so a run must have gone before.
        """
        # Only this thread's calls are recorded: others may go on using CUDA meanwhile.
        mode = runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        problem = ""
        call(runtime.cudaStreamBeginCapture, self._stream, mode)
        try:
            self._enqueue(source, target)
        except BackendError as error:
            problem = str(error)
        try:
            graph = call(runtime.cudaStreamEndCapture, self._stream)
            if not problem:
                executable = call(runtime.cudaGraphInstantiate, graph, 0)
                self._graphs[source] = self._resources.graph(executable)
            call(runtime.cudaGraphDestroy, graph)
        except BackendError as error:
            problem = problem or str(error)
            runtime.cudaGetLastError()  # a refused capture is no error of what follows
        self.graph_problem = problem


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
        self.engine: trt.ICudaEngine = engine
