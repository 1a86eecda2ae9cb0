"""An ONNX Runtime session as a computation on frames that lie on the GPU.

Import once cuda-python is loaded (`runtime.gpu.cuda_python`).
"""

from __future__ import annotations

from itertools import count
from typing import Any

from cuda.bindings import runtime

from ...common.errors import BackendError
from ..gpu.cuda_gate import GATE
from ..gpu.limits import DEFAULT_LIMITS
from ..gpu.shapes import FrameShape
from ..models.contract import OUTPUT
from .session import DeviceBinding, OrtSession


class GraphNumbers:
    """Hands out the numbers under which one session records its CUDA graphs, each once."""

    def __init__(self, most: int = DEFAULT_LIMITS.graphs) -> None:
        self.most = most
        self._next = count()

    def take(self) -> int | None:
        """A new number; None if so many graphs were recorded that memory would be wasted."""
        number = next(self._next)
        return number if number < self.most else None


class OrtComputation:
    """See `runtime.gpu.runner.Computation`. The session must run on `stream`.

    The first run between two addresses is a plain one, in which cuDNN looks for its algorithms and
    memory is taken. In the second, ONNX Runtime records a CUDA graph, which later ones replay.
    """

    def __init__(
        self,
        session: OrtSession,
        shape: FrameShape,
        scale: int,
        stream: Any,  # noqa: ANN401 - a CUDA handle
        numbers: GraphNumbers | None,
        no_graph: str = "",
        window: int = 1,
    ) -> None:
        """For frames of `shape`, of which `window` make one.

        Without `numbers`, no graphs are made, for the reason given.
        """
        self.graph_problem = no_graph
        self._session = session
        self._stream = stream
        self._numbers = numbers
        self._shape = shape.tensor()
        self._big = (shape.frames // window, shape.height * scale, shape.width * scale, 3)
        self._bound: dict[int, DeviceBinding] = {}
        self._graphs: dict[int, int] = {}

    @property
    def uses_graph(self) -> bool:
        """Whether the computation runs as a CUDA graph by now."""
        return bool(self._graphs)

    def launch(self, source: int, target: int) -> None:
        """Queue the network on the stream; see `runtime.gpu.runner.Computation`."""
        binding = self._bound.get(source)
        if binding is None:
            binding = self._session.bind_on_device(source, self._shape, OUTPUT, target, self._big)
            self._bound[source] = binding
        elif source in self._graphs:
            self._session.launch(binding, self._graphs[source])
            return
        elif not self.graph_problem and self._record(source, binding):
            return
        self._session.launch(binding)

    def close(self) -> None:
        """Forget the addresses."""
        self._bound.clear()
        self._graphs.clear()

    def _record(self, source: int, binding: DeviceBinding) -> bool:
        """Run and record a graph; False, with the reason noted, if that cannot be done."""
        assert self._numbers is not None  # else there is a reason, and nothing is recorded
        number = self._numbers.take()
        if number is None:
            self.graph_problem = f"{self._numbers.most} were recorded for other sizes"
            return False
        with GATE.recording() as others:
            if others:
                self.graph_problem = others
                return False
            try:
                self._session.launch(binding, number)
            except BackendError as error:
                self.graph_problem = str(error)
                self._leave_capture()
                return False
        self._graphs[source] = number
        return True

    def _leave_capture(self) -> None:
        """End a recording that failed on the way: nothing could run on the stream otherwise."""
        # In the thread that began it, as CUDA asks.
        self._session.in_own_thread(lambda: runtime.cudaStreamEndCapture(self._stream))
        self._session.in_own_thread(runtime.cudaGetLastError)
