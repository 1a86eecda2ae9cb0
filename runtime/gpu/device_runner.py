"""Runs frames of whatever shape on the GPU, which the two kinds of GPU session share.

Import once cuda-python is loaded (`runtime.gpu.cuda_python`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cuda.bindings import runtime

from ...common.errors import BackendError
from ..session.protocol import Frames
from .cuda import call, select_device, use_device
from .cuda_gate import GATE
from .limits import DEFAULT_LIMITS, GpuLimits
from .memory import Resources
from .runner import Computation, ShapeRunner, Streams
from .shapes import FrameShape

# A stream has one size, a tiled frame one tile size; one more for a batch's last part.
_MAX_SHAPES = 2


class DeviceRunner:
    """Streams, and a runner for each of the last two shapes. Used from one thread at a time."""

    def __init__(
        self,
        scale: int,
        device: int = 0,
        window: int = 1,
        limits: GpuLimits = DEFAULT_LIMITS,
    ) -> None:
        """Make the streams on GPU number `device`, for a model that takes `window` frames for each
        that it gives. Raises BackendError if CUDA cannot.
        """
        self._device = device
        self._scale, self._window = scale, window
        self._limits = limits
        self._resources = Resources()
        try:
            with GATE.using():
                select_device(device)
                self.free_memory_bytes = int(call(runtime.cudaMemGetInfo))
                """Of the GPU's memory, when this was made."""
                self.streams = Streams(self._resources)
        except BaseException:
            self._resources.close()
            raise
        self._runners: OrderedDict[FrameShape, ShapeRunner] = OrderedDict()
        self.stage_seconds = {"copy in": 0.0, "inference": 0.0, "copy out": 0.0}

    def run(
        self,
        shape: FrameShape,
        frames: Frames,
        out: Frames,
        compute: Callable[[FrameShape], Computation],
    ) -> None:
        """Upscale `frames` into `out` in parts of `shape`, its count dividing theirs.

        `compute` makes the computation when a shape is new. Raises BackendError; the shape's memory
        is free afterwards.
        """
        with self._freed_on_error(shape):
            self._runner(shape, compute).run(frames, out)

    def start(
        self,
        shape: FrameShape,
        frames: Frames,
        out: Frames,
        compute: Callable[[FrameShape], Computation],
    ) -> Callable[[], None]:
        """Start on `frames` of exactly `shape`; see `protocol.PipelinedSession` and `run`."""
        with self._freed_on_error(shape):
            wait = self._runner(shape, compute).start(frames, out)
        return self._freed_on_error(shape)(wait)

    def drop(self) -> None:
        """Give up what is under way; see `protocol.PipelinedSession`."""
        with GATE.using():
            for runner in self._runners.values():
                runner.drop()

    def graph(self) -> str | None:
        """Whether the last shape's computation runs as a CUDA graph; None before the first run."""
        if not self._runners:
            return None
        computation = next(reversed(self._runners.values())).computation
        if computation.uses_graph:
            return "yes"
        problem = computation.graph_problem
        return f"no: {problem}" if problem else "after the next run"

    def _runner(
        self, shape: FrameShape, compute: Callable[[FrameShape], Computation]
    ) -> ShapeRunner:
        runner = self._runners.get(shape)
        if runner is None:
            # The one that was not used for the longest time goes first, for its memory.
            if len(self._runners) == _MAX_SHAPES:
                self._runners.popitem(last=False)[1].close()
            runner = ShapeRunner(
                compute(shape),
                shape,
                self._scale,
                self.streams,
                self.stage_seconds,
                self._window,
                self._limits.band_bytes,
            )
            self._runners[shape] = runner
        self._runners.move_to_end(shape)
        return runner

    @contextmanager
    def _freed_on_error(self, shape: FrameShape) -> Iterator[None]:
        """Free the shape's memory, and with it what is under way, when the work on it fails."""
        with GATE.using():
            use_device(self._device)
            try:
                yield
            except BackendError:
                if shape in self._runners:
                    self._runners.pop(shape).close()
                raise

    def close_shapes(self) -> None:
        """Free everything but the streams; what is under way is lost."""
        with GATE.using():
            for runner in self._runners.values():
                runner.close()
            self._runners.clear()

    def close(self) -> None:
        """Free everything; what computes on the streams must be gone."""
        with GATE.using():
            self.close_shapes()
            self._resources.close()
