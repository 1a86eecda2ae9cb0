"""What the two sessions of ONNX Runtime on a GPU share.

With cuda-python, frames go through page-locked memory to the GPU and back on streams of their own
and the provider computes on a third one (see `runtime.gpu.runner`). Without it, the provider copies
within its call. Neither has been run on hardware yet: the first is tested on a simulated GPU for
the order of its copies, the tests marked `gpu` do the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...common.errors import BackendError, cannot_run
from ...common.notes import say_on_stderr
from ..gpu.cuda_python import cuda_python_problem
from ..gpu.limits import DEFAULT_LIMITS, GpuLimits
from ..gpu.shapes import FrameShape
from ..machine.host import available_processors
from ..machine.nvidia import driver_advice, driver_problem
from ..models.contract import OUTPUT
from ..models.file import ModelSpec
from ..ort.linkage import CUDART, linked_major, load_problem, provider_library
from ..ort.session import OrtSession
from ..session.protocol import Frames, failures_of

if TYPE_CHECKING:
    from ..gpu.device_runner import DeviceRunner
    from ..gpu.runner import Computation
    from ..ort.computation import GraphNumbers

INSTALL = '`pip uninstall -y onnxruntime onnxruntime-gpu && pip install "framelift[cuda]"`'

# In ONNX Runtime's messages.
_GRAPHS_REFUSED = "cannot use the graph capture feature"


class OnnxGpuSession:
    """A model on a GPU by one provider of ONNX Runtime; see `runtime.session.protocol.Session`."""

    name: str
    provider: str
    device: str
    device_number: int
    library: str
    """The provider in the name of its file."""
    records_graphs: bool
    """Whether the provider records a CUDA graph for each pair of addresses."""

    _session: OrtSession
    _runner: DeviceRunner | None = None
    _numbers: GraphNumbers | None = None
    _no_graph = ""

    @property
    def engine(self) -> str:
        """Engine and version, as `describe` names it."""
        return self._session.engine

    @property
    def stage_seconds(self) -> dict[str, float]:
        """Seconds spent on the GPU in each stage, by CUDA events; {} without cuda-python."""
        return {} if self._runner is None else self._runner.stage_seconds

    def run(self, frames: Frames, out: Frames) -> None:
        runner = self._runner
        if runner is None:
            self._session.infer(frames, OUTPUT, out)
            return
        # One frame at a time, so that one is copied while another is computed; unless the model
        # takes a fixed number of them.
        shape = FrameShape(self._spec.frame_shape[0] or 1, *frames.shape[1:3])
        with failures_of(self.name):
            runner.run(shape, frames, out, self._compute)

    @property
    def pipelined(self) -> bool:
        """Whether copies run beside computation: not without cuda-python."""
        return self._runner is not None

    @property
    def free_memory_bytes(self) -> int | None:
        """Of the GPU's memory, when the model was loaded; None without cuda-python."""
        return None if self._runner is None else self._runner.free_memory_bytes

    def empty(self, shape: tuple[int, ...]) -> Frames:
        from ..gpu.memory import pinned_array

        return pinned_array(shape)

    def start(self, frames: Frames, out: Frames) -> Callable[[], None]:
        assert self._runner is not None
        shape = FrameShape(*frames.shape[:3])
        with failures_of(self.name):
            wait = self._runner.start(shape, frames, out, self._compute)
        return failures_of(self.name)(wait)

    def drop(self) -> None:
        assert self._runner is not None
        self._runner.drop()

    def describe(self) -> dict[str, str | int]:
        described: dict[str, str | int] = {
            "backend": self.name,
            "provider": self.provider,
            "device": self.device,
            "engine": self.engine,
            "copies": "within the call" if self._runner is None else "pinned, on their own streams",
        }
        graph = None if self._runner is None else self._runner.graph()
        if graph is not None:
            described["cuda_graph"] = graph
        return described

    def close(self) -> None:
        if self._runner is not None:
            self._runner.close_shapes()
        self._session.close()  # before the stream that it runs on
        if self._runner is not None:
            self._runner.close()

    def _open(
        self,
        spec: ModelSpec,
        threads: int | None,
        options: dict[str, str],
        graph_options: dict[str, str],
        limits: GpuLimits = DEFAULT_LIMITS,
    ) -> None:
        """Open the session with the provider's `options`; those for graphs only if it can have any.

        Raises BackendError, with what to do about an error of CUDA or the loader.
        """
        self._spec = spec
        problem = cuda_python_problem()
        if problem is not None:
            say_on_stderr(
                f"{self.name}: no pinned memory, overlapping copies or CUDA graphs ({problem})"
            )
            self._session = self._opened(threads, options)
            return
        from ..gpu.device_runner import DeviceRunner
        from ..ort.computation import GraphNumbers

        try:
            self._runner = DeviceRunner(spec.scale, self.device_number, spec.window, limits)
        except BackendError as error:
            raise cannot_run(self.name, error) from error
        options = {**options, "user_compute_stream": str(int(self._runner.streams.compute))}
        if self.records_graphs:
            self._numbers = GraphNumbers(limits.graphs)
        else:
            self._no_graph = "this provider records one only, whatever the size"
        try:
            self._session = self._opened_with_graphs(threads, options, graph_options)
        except BaseException:
            self._runner.close()
            raise

    def _opened_with_graphs(
        self, threads: int | None, options: dict[str, str], graph_options: dict[str, str]
    ) -> OrtSession:
        try:
            return self._opened(threads, {**options, **graph_options})
        except BackendError as error:
            if not graph_options or _GRAPHS_REFUSED not in str(error):
                raise
            self._no_graph = str(error)
            return self._opened(threads, options)

    def _opened(self, threads: int | None, options: dict[str, str]) -> OrtSession:
        return open_on_gpu(type(self), self._spec.data, threads, self.device_number, options)

    def _compute(self, shape: FrameShape) -> Computation:
        from ..ort.computation import OrtComputation

        assert self._runner is not None
        stream = self._runner.streams.compute
        return OrtComputation(
            self._session,
            shape,
            self._spec.scale,
            stream,
            self._numbers,
            self._no_graph,
            self._spec.window,
        )


def open_on_gpu(
    kind: type[OnnxGpuSession],
    model: bytes,
    threads: int | None,
    device: int,
    options: dict[str, str],
) -> OrtSession:
    """Open a model on the provider of that kind of session, and on no other.

    Raises BackendError, with what to do about an error of CUDA or the loader.
    """
    # ONNX Runtime would log what the provider lacks, and raise only that nodes are left over.
    library = provider_library(kind.library)
    cause = load_problem(library) or driver_problem(linked_major(library, CUDART))
    if cause is not None:
        raise cannot_run(kind.name, f"{cause}{advice(cause)}")
    try:
        return OrtSession(
            kind.name,
            model,
            kind.provider,
            threads or available_processors(),
            device=device,
            provider_options={"device_id": str(device), **options},
            config={"session.disable_cpu_ep_fallback": "1"},
        )
    except BackendError as error:
        raise BackendError(f"{error}{advice(str(error))}") from error


def advice(message: str) -> str:
    """What to do about an error of CUDA or the loader, to be put behind it; "" if unknown."""
    if known := driver_advice(message):
        return known
    lowered = message.lower()
    if "cannot open shared object" in lowered or "failed to load library" in lowered:
        return f" (CUDA or cuDNN libraries are missing: run {INSTALL})"
    return ""
