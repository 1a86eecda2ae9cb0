"""TensorRT itself, without ONNX Runtime: engines built on first use and kept in a cache.

Checked against the signatures of TensorRT 10.16 and 11.4 and, on simulated hardware, for the order
of its copies. It has not been run on a GPU yet: the tests marked `gpu` do that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...common.errors import cannot_run
from ...common.notes import say_on_stderr
from ..gpu.cuda_gate import GATE
from ..gpu.limits import DEFAULT_LIMITS, GpuLimits
from ..gpu.shapes import FrameShape, fixed, profile_for
from ..machine.nvidia import gpu_problem
from ..models.file import ModelSpec
from ..models.int8_form import refuse_for_processors
from ..session.protocol import Frames, failures_of
from ..tensorrt.bindings.library import load_tensorrt, tensorrt_problem
from ..tensorrt.cache.folder import CachedEngine, EngineCache
from ..tensorrt.cache.key import BuilderOptions, EngineKey
from ..tensorrt.make import build_progress, make_engine
from ..tensorrt.phases import BuildProgress

if TYPE_CHECKING:
    from ..gpu.runner import Computation
    from ..tensorrt.context import LoadedEngine

NAME = "tensorrt"


def missing() -> str | None:
    """Why this backend cannot be used here, found out without touching the GPU."""
    problem = gpu_problem() or tensorrt_problem()
    return None if problem is None else str(problem)


def try_out(spec: ModelSpec, device: int) -> None:
    """Start TensorRT, use a little of the GPU and parse the model; no engine is built.

    Raises:
        BackendError: no GPU, or TensorRT or CUDA cannot be loaded or started on it.
        MissingDependencyError: TensorRT or cuda-python is not installed.
        ModelError: TensorRT cannot take the model; the message names the nodes.
    """
    library = load_tensorrt()
    from ..tensorrt.start import start

    start(library, spec, device)


class TensorrtSession:
    """See `runtime.session.protocol.Session`. Runs on one of the GPUs that CUDA shows.

    An engine is built when frames come that none in the cache takes, which takes seconds to
    minutes and is shown; build it before with `framelift engine build`.
    """

    name = NAME
    provider = "TensorRT"

    def __init__(
        self,
        spec: ModelSpec,
        threads: int | None = None,
        device: int = 0,
        *,
        options: BuilderOptions | None = None,
        cache: EngineCache | None = None,
        limits: GpuLimits = DEFAULT_LIMITS,
    ) -> None:
        """Load TensorRT and look at the GPU.

        Args:
            spec: the model.
            threads: not used: the network runs on the GPU.
            device: the number of the GPU, as CUDA counts them.
            options: how engines are built; None for the defaults.
            cache: where engines are kept; None for the user's cache folder.
            limits: how much is done at once.

        Raises:
            BackendError: no GPU or driver, TensorRT cannot be loaded, or the model is int8 for
                processors.
            MissingDependencyError: TensorRT or cuda-python is not installed.
        """
        refuse_for_processors(spec, NAME)
        problem = gpu_problem()
        if problem is not None:
            raise cannot_run(NAME, problem)
        self._library = load_tensorrt()
        from ..gpu.cuda import device_facts, select_device
        from ..gpu.device_runner import DeviceRunner

        select_device(device)
        facts = device_facts(device)
        self._device_number = device
        self.device = facts.gpu
        self._spec = spec
        self._cache = cache or EngineCache()
        self._options = options or BuilderOptions()
        shape = FrameShape(*(size or 1 for size in spec.frame_shape))
        self._key = EngineKey(
            spec.sha256, self._library.version, facts, fixed(shape), self._options
        )
        self._runner = DeviceRunner(spec.scale, device, spec.window, limits)
        self._engines: list[LoadedEngine] = []
        self._seen: frozenset[FrameShape] = frozenset()
        self._building: BuildProgress | None = None
        self.stage_seconds = self._runner.stage_seconds

    def run(self, frames: Frames, out: Frames) -> None:
        count, height, width, _ = frames.shape
        engine = self._engine_for(FrameShape(count, height, width))
        step = engine.profile.part(FrameShape(count, height, width))
        whole = count - count % step
        self._run(engine, FrameShape(step, height, width), frames[:whole], out[:whole])
        if whole < count:
            rest = FrameShape(count - whole, height, width)
            self._run(engine, rest, frames[whole:], out[whole:])

    @property
    def pipelined(self) -> bool:
        """Copies run beside computation."""
        return True

    @property
    def free_memory_bytes(self) -> int:
        """Of the GPU's memory, when the model was loaded."""
        return self._runner.free_memory_bytes

    def empty(self, shape: tuple[int, ...]) -> Frames:
        from ..gpu.memory import pinned_array

        return pinned_array(shape)

    def start(self, frames: Frames, out: Frames) -> Callable[[], None]:
        shape = FrameShape(*frames.shape[:3])
        compute = self._compute(self._engine_for(shape))
        with failures_of(NAME):
            wait = self._runner.start(shape, frames, out, compute)
        return failures_of(NAME)(wait)

    def drop(self) -> None:
        self._runner.drop()

    def describe(self) -> dict[str, str | int]:
        described: dict[str, str | int] = {
            "backend": self.name,
            "provider": self.provider,
            "device": self.device,
            "engine": str(self._library),
        }
        if self._engines:
            described["shapes"] = ", ".join(str(engine.profile) for engine in self._engines)
        graph = self._runner.graph()
        if graph is not None:
            described["cuda_graph"] = graph
        return described

    @property
    def build_seconds(self) -> float:
        """What building the engines in use took, now or when they were put into the cache."""
        return sum(engine.build_seconds for engine in self._engines)

    def cancel(self) -> None:
        """End a build that runs in another thread, as that of a pipeline which was interrupted."""
        building = self._building
        if building is not None:
            building.cancel()

    def close(self) -> None:
        self.cancel()
        self._runner.close()
        self._engines.clear()

    def _run(self, engine: LoadedEngine, shape: FrameShape, frames: Frames, out: Frames) -> None:
        with failures_of(NAME):
            self._runner.run(shape, frames, out, self._compute(engine))

    def _compute(self, engine: LoadedEngine) -> Callable[[FrameShape], Computation]:
        from ..tensorrt.context import EngineContext

        stream = self._runner.streams.compute
        return lambda shape: EngineContext(engine, shape, stream)

    def _engine_for(self, shape: FrameShape) -> LoadedEngine:
        """A loaded engine for frames of this shape, else one from the cache, else a new one."""
        for engine in self._engines:
            if engine.profile.part(shape):
                return engine
        from ..gpu.cuda import use_device
        from ..tensorrt.context import LoadedEngine

        use_device(self._device_number)
        found = self._cache.find(self._key, shape) or self._build(shape)
        precision = found.sidecar.precision
        if precision.convolutions and not precision.seen:
            # Not refused: the inspector's words may change, and the network is strongly typed.
            say_on_stderr(f"{NAME}: precision of {self._spec.name} {precision.text()}")
        with GATE.using():
            engine = LoadedEngine(self._library, found)
        self._engines.append(engine)
        self._seen |= {FrameShape(1, shape.height, shape.width)}
        return engine

    def _build(self, shape: FrameShape) -> CachedEngine:
        one = FrameShape(self._spec.frame_shape[0] or 1, shape.height, shape.width)
        profile = profile_for(one, self._seen, self._spec)
        try:
            with (
                GATE.using_all_the_time("TensorRT builds an engine"),
                build_progress(self._spec, profile) as self._building,
            ):
                return make_engine(
                    self._spec,
                    profile,
                    self._options,
                    self._building,
                    device=self._device_number,
                    cache=self._cache,
                ).engine
        finally:
            self._building = None
