"""ONNX Runtime's CPU provider, with the pixel shuffle done on whole numbers by the host."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from ...common.errors import BackendError
from ...common.libraries.opencv import load_cv2
from ...common.notes import say_on_stderr
from ..machine.host import available_processors, processor_name
from ..models.contract import OUTPUT
from ..models.file import ModelSpec
from ..models.remembered import as_now
from ..ort.library import engine_problem
from ..ort.session import OrtSession
from ..session.frames import dtype_of
from ..session.protocol import Frames
from .cpu.interleaved import Interleaved
from .cpu.packed import PACKED
from .cpu.prepared import prepared
from .cpu.reshuffle import Reshuffle

if TYPE_CHECKING:
    from .cpu.kept_layers import KeptLayers
    from .cpu.layered import LayeredNetwork

NAME = "onnx-cpu"
PROVIDER = "CPUExecutionProvider"


def missing() -> str | None:
    """Why this backend cannot be used here, or None if it can."""
    problem = engine_problem()
    return None if problem is None else str(problem)


def open_session(spec: ModelSpec, threads: int | None, device: int) -> OnnxCpuSession:
    """Load the model on the CPU, whichever the number of the GPU."""
    return OnnxCpuSession(spec, threads)


class OnnxCpuSession:
    """See `protocol.Session`. Buffers for the largest shape of frames are kept between calls.

    `activation_bytes` is what the network takes per input pixel as it is computed here: of an fp16
    model in float32. `exact_regions`: see `Upscaler.exact_regions`.
    """

    name = NAME
    provider = PROVIDER

    def __init__(self, spec: ModelSpec, threads: int | None = None, *, pack: bool = True) -> None:
        """Load the model on the CPU.

        Args:
            spec: the model.
            threads: threads within one operator; None is one per processor this process may use.
            pack: False runs the graph's own pixel shuffle, for comparison.

        Raises:
            BackendError: the engine refuses the model.
            MissingDependencyError: no engine is installed.
        """
        self.device = processor_name()
        self._threads = threads or available_processors()
        self._spec = spec
        self._window = spec.window
        made = prepared(spec, pack=pack)
        self._widened, self._held_channels, self._packed = (
            made.widened,
            made.held_channels,
            made.packed,
        )
        self.activation_bytes, self.exact_regions = made.activation_bytes, made.exact_regions
        if self._held_channels:
            say_on_stderr(
                f"{spec.name}: {self.device} is not known to have VNNI: int8 weights get a coarser "
                "step, so that sums of 16 bits do not overflow; slightly less exact"
            )
        if self._packed:
            load_cv2()  # what is missing fails now, not at the first frame
        self._session = OrtSession(NAME, made.model, PROVIDER, self._threads)
        self._reshuffle: Reshuffle | Interleaved | None = None
        self._layers: LayeredNetwork | None = None
        self._layers_opened = False
        self._remembering = as_now()
        self.stage_seconds = {"inference": 0.0}
        if self._packed:
            self._reshuffle = (
                Interleaved(spec.scale, made.interleaved)
                if made.interleaved
                else Reshuffle(spec.scale, dtype_of(spec.depth))
            )
            self.stage_seconds["pixel shuffle"] = 0.0

    def run(self, frames: Frames, out: Frames) -> None:
        started = perf_counter()
        reshuffle = self._reshuffle
        if reshuffle is None:
            self._session.infer(frames, OUTPUT, out)
            self.stage_seconds["inference"] += perf_counter() - started
            return
        count, height, width, _ = frames.shape
        self._session.infer(frames, PACKED, reshuffle.packed(count // self._window, height, width))
        inferred = perf_counter()
        reshuffle.into(out)
        self.stage_seconds["inference"] += inferred - started
        self.stage_seconds["pixel shuffle"] += perf_counter() - inferred

    def keep_layers(self, height: int, width: int) -> KeptLayers | None:
        """See `LayeredSession`; for int8 models that are a chain of convolutions."""
        if not self._layers_opened and self._packed and self.exact_regions:
            from .cpu.layered import open_layers  # which a single picture does not need

            self._layers_opened = True
            try:
                with self._remembering():
                    self._layers = open_layers(self._spec, NAME, PROVIDER, self._threads)
            except BackendError as error:
                say_on_stderr(f"{error}: layers are not run one by one, which takes longer")
        if self._layers is None:
            return None
        from .cpu.kept_layers import keep

        return keep(self._layers, height, width)

    def describe(self) -> dict[str, str | int]:
        described: dict[str, str | int] = {
            "backend": self.name,
            "provider": self.provider,
            "device": self.device,
            "engine": self._session.engine,
            "threads": self._threads,
            "pixel_shuffle": "host" if self._packed else "graph",
        }
        if self._widened:
            described["computed_in"] = "float32"
        if self._held_channels:
            described["int8"] = f"without VNNI: {self._held_channels} channels with a coarser step"
        return described

    def close(self) -> None:
        self._reshuffle = None
        if self._layers is not None:
            self._layers.close()
            self._layers = None
        self._session.close()
