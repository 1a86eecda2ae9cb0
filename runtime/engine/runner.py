"""Runs an engine on frames of one shape.

Host memory is page-locked, and copies run beside the computation: one stream uploads, one computes
and one downloads, ordered by events. While a batch's next part is computed, the last one comes back
in bands, each handed over as soon as it is there. From the second run on, the computation is one
CUDA graph.
"""

from __future__ import annotations

import contextlib
from itertools import pairwise
from typing import Any

import numpy as np
import tensorrt as trt
from cuda.bindings import runtime

from ...imaging.errors import BackendError
from ..backends.base import Frames
from ..model_file import INPUT, OUTPUT
from .cuda import call
from .memory import Resources
from .shapes import FrameShape

# A band is large enough that starting its copy costs little, and small enough to overlap.
_BAND_BYTES = 4 << 20
_MAX_BANDS = 8


class Streams:
    """The three streams that all runners of a session share."""

    def __init__(self, resources: Resources) -> None:
        self.upload = resources.stream()
        self.compute = resources.stream()
        self.download = resources.stream()

    def drain(self) -> None:
        """Wait until nothing is under way, whatever has failed."""
        for stream in (self.upload, self.compute, self.download):
            with contextlib.suppress(BackendError):
                call(runtime.cudaStreamSynchronize, stream)


class _Slot:
    """Buffers of one batch part under way; two take turns."""

    def __init__(self, resources: Resources, input_bytes: int, output_bytes: int) -> None:
        self.host_input_address, self.host_input = resources.pinned(input_bytes)
        self.host_output_address, self.host_output = resources.pinned(output_bytes)
        self.device_input = resources.device(input_bytes)
        self.device_output = resources.device(output_bytes)
        self.begun = resources.event()
        self.uploaded = resources.event()
        self.ready = resources.event()
        self.computed = resources.event()
        self.bands = [(band, resources.event()) for band in pairwise(_band_edges(output_bytes))]
        self.graph: Any = None
        self.warm = False


class ShapeRunner:
    """An execution context with its memory, for one shape. Used from one thread at a time."""

    def __init__(
        self,
        engine: trt.ICudaEngine,
        shape: FrameShape,
        scale: int,
        streams: Streams,
        stage_seconds: dict[str, float],
    ) -> None:
        """Allocate for `shape`, which the engine's profile must cover.

        What each run takes on the GPU is added to "copy in", "inference" and "copy out" of
        `stage_seconds`; in a batch they overlap.

        Raises BackendError if the GPU has too little memory or TensorRT refuses the shape.
        """
        self._shape = shape
        self._streams = streams
        self._resources = Resources()
        self._input_bytes = 3 * shape.frames * shape.height * shape.width
        self._output_bytes = self._input_bytes * scale * scale
        self._slots: list[_Slot] = []
        self.graph_problem = ""
        self._stage_seconds = stage_seconds
        try:
            self._context = self._new_context(engine)
        except BaseException:
            self.close()
            raise

    @property
    def uses_graph(self) -> bool:
        """Whether the computation runs as a CUDA graph by now."""
        return any(slot.graph is not None for slot in self._slots)

    def run(self, frames: Frames, out: Frames) -> None:
        """Upscale N frames, N a multiple of the shape's count, into `out`; both C-contiguous."""
        step = self._shape.frames
        parts = [slice(start, start + step) for start in range(0, len(frames), step)]
        try:
            for _ in range(len(self._slots), min(2, len(parts))):
                self._slots.append(_Slot(self._resources, self._input_bytes, self._output_bytes))
            self._start(self._slots[0], frames[parts[0]])
            for index, part in enumerate(parts):
                if index + 1 < len(parts):
                    self._start(self._slots[(index + 1) % 2], frames[parts[index + 1]])
                self._finish(self._slots[index % 2], out[part])
        except BaseException:
            self._streams.drain()  # so that no copy under way meets the next call's
            raise

    def close(self) -> None:
        """Free the context's memory and buffers; nothing may be under way."""
        self._streams.drain()
        self._context = None
        self._slots.clear()
        self._resources.close()

    def _new_context(self, engine: trt.ICudaEngine) -> trt.IExecutionContext | None:
        context = engine.create_execution_context(
            trt.ExecutionContextAllocationStrategy.USER_MANAGED
        )
        if context is None:
            raise BackendError("TensorRT cannot make an execution context (is memory short?)")
        if context.active_optimization_profile != 0:  # engines have one, chosen by most releases
            context.set_optimization_profile_async(0, int(self._streams.compute))
            call(runtime.cudaStreamSynchronize, self._streams.compute)
        if not context.set_input_shape(INPUT, self._shape.tensor()):
            raise BackendError(f"the engine does not take frames of {self._shape}")
        size = context.update_device_memory_size_for_shapes()
        context.set_device_memory(self._resources.device(size), size)
        return context

    def _start(self, slot: _Slot, frames: Frames) -> None:
        """Queue upload, computation and download; the slot's last part must be finished."""
        streams = self._streams
        np.copyto(slot.host_input, frames.reshape(-1))
        call(runtime.cudaEventRecord, slot.begun, streams.upload)
        call(
            runtime.cudaMemcpyAsync, slot.device_input, slot.host_input_address, self._input_bytes,
            runtime.cudaMemcpyKind.cudaMemcpyHostToDevice, streams.upload,
        )  # fmt: skip
        call(runtime.cudaEventRecord, slot.uploaded, streams.upload)
        call(runtime.cudaStreamWaitEvent, streams.compute, slot.uploaded, 0)
        call(runtime.cudaEventRecord, slot.ready, streams.compute)
        self._compute(slot)
        call(runtime.cudaEventRecord, slot.computed, streams.compute)
        call(runtime.cudaStreamWaitEvent, streams.download, slot.computed, 0)
        for (start, stop), arrived in slot.bands:
            call(
                runtime.cudaMemcpyAsync, slot.host_output_address + start,
                slot.device_output + start, stop - start,
                runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost, streams.download,
            )  # fmt: skip
            call(runtime.cudaEventRecord, arrived, streams.download)

    def _finish(self, slot: _Slot, out: Frames) -> None:
        """Copy each band to `out` when it has arrived, while the next is on its way."""
        flat = out.reshape(-1)
        for (start, stop), arrived in slot.bands:
            call(runtime.cudaEventSynchronize, arrived)
            np.copyto(flat[start:stop], slot.host_output[start:stop])
        self._take_times(slot)

    def _take_times(self, slot: _Slot) -> None:
        _, last = slot.bands[-1]
        for stage, start, end in (
            ("copy in", slot.begun, slot.uploaded),
            ("inference", slot.ready, slot.computed),
            ("copy out", slot.computed, last),
        ):
            self._stage_seconds[stage] += call(runtime.cudaEventElapsedTime, start, end) / 1e3

    def _compute(self, slot: _Slot) -> None:
        if slot.graph is None and slot.warm and not self.graph_problem:
            self._capture(slot)
        if slot.graph is not None:
            call(runtime.cudaGraphLaunch, slot.graph, self._streams.compute)
        else:
            self._enqueue(slot)
            slot.warm = True

    def _enqueue(self, slot: _Slot) -> None:
        context = self._context
        if context is None:
            raise BackendError("the TensorRT session is closed")
        context.set_tensor_address(INPUT, slot.device_input)
        context.set_tensor_address(OUTPUT, slot.device_output)
        if not context.execute_async_v3(int(self._streams.compute)):
            raise BackendError("TensorRT failed to run the engine")

    def _capture(self, slot: _Slot) -> None:
        """Record the computation of this slot as a CUDA graph; what cannot be recorded is noted.

        TensorRT's first run at a shape does work of its own, so a run must have gone before.
        """
        compute = self._streams.compute
        # Only this thread's calls are recorded: others may go on using CUDA meanwhile.
        mode = runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        problem = ""
        call(runtime.cudaStreamBeginCapture, compute, mode)
        try:
            self._enqueue(slot)
        except BackendError as error:
            problem = str(error)
        try:
            graph = call(runtime.cudaStreamEndCapture, compute)
            if not problem:
                slot.graph = self._resources.graph(call(runtime.cudaGraphInstantiate, graph, 0))
            call(runtime.cudaGraphDestroy, graph)
        except BackendError as error:
            problem = problem or str(error)
            runtime.cudaGetLastError()  # a refused capture is no error of what follows
        self.graph_problem = problem


def _band_edges(size_bytes: int) -> list[int]:
    """0, ..., `size_bytes`: where the bands of a buffer begin and end."""
    count = max(1, min(_MAX_BANDS, size_bytes // _BAND_BYTES))
    return [size_bytes * index // count for index in range(count + 1)]
