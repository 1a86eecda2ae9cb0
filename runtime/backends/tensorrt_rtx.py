"""TensorRT for RTX, on NVIDIA's cards since the RTX 30 series, by its plug-in for ONNX Runtime.

It has not been run on a GPU yet. The tests show, with the released plug-in, which options it takes
and that it takes every node of the models; docs/backends.md says what else.
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...common.cache_folder import cache_folder
from ...common.errors import BackendError, cannot_run
from ...common.notes import say_on_stderr
from ..gpu.cuda_gate import GATE
from ..gpu.shapes import FrameShape, ShapeProfile, profile_for
from ..machine.host import available_processors
from ..machine.nvidia import device_name, gpu_problem, no_such_gpu
from ..models.contract import INPUT, OUTPUT
from ..models.file import ModelSpec
from ..models.int8_form import refuse_for_processors
from ..ort.plugins import Device, Plugin, plugin_problem, plugin_version, usable_devices
from ..ort.session import OrtSession
from ..session.protocol import Frames

if TYPE_CHECKING:
    import onnx

NAME = "tensorrt-rtx"
PROVIDER = "NvTensorRTRTXExecutionProvider"

PLUGIN = Plugin(
    extra="rtx",
    package="onnxruntime_ep_nv_tensorrt_rtx",
    distribution="onnxruntime-ep-nv-tensorrt-rtx-cu13",
    provider=PROVIDER,
    library="onnxruntime_providers_nv_tensorrt_rtx",
    first=(
        "libcudart.so.*",
        "libtensorrt_rtx.so.*.*.*",
        "libtensorrt_onnxparser_rtx.so.*.*.*",
    ),
)

_MACHINES = ("x86_64", "AMD64", "ARM64")
_MAX_SESSIONS = 2
# The plug-in records its CUDA graph, in CUDA's global mode, in one of the first runs: it runs the
# network once before, and the library in it once more.
_RUNS_THAT_MAY_RECORD = 3


def missing() -> str | None:
    """Why this backend cannot be used here, found out without loading the plug-in."""
    problem = gpu_problem()
    if problem is not None:
        return problem
    if platform.machine() not in _MACHINES:
        return f"NVIDIA has no plug-in for {sys.platform} on {platform.machine()}"
    return plugin_problem(PLUGIN)


@dataclass
class _Sized:
    """What runs frames of one profile, and why it records no CUDA graph; "" if it does."""

    profile: ShapeProfile
    session: OrtSession
    no_graph: str
    runs: int = 0

    def run(self, frames: Frames, out: Frames) -> None:
        self.runs += 1
        may_record = not self.no_graph and self.runs <= _RUNS_THAT_MAY_RECORD
        alone: AbstractContextManager[object] = GATE.recording() if may_record else nullcontext()
        with alone:
            self.session.infer(frames, OUTPUT, out)


class TensorrtRtxSession:
    """See `runtime.session.protocol.Session`.

    An engine is built within seconds when frames of a new size come. The first size gets one of its
    own, with a CUDA graph; when sizes change, one for all of them follows.
    """

    name = NAME
    provider = PROVIDER

    def __init__(self, spec: ModelSpec, threads: int | None = None, device: int = 0) -> None:
        """Load the plug-in and look for the GPU.

        Args:
            spec: the model.
            threads: host threads of the session; the network itself runs on the GPU.
            device: the number of the GPU among those that the plug-in lists.

        Raises:
            BackendError: no GPU of the RTX 30 series or newer, no plug-in, a library that it needs
                is missing, or the model is int8 for processors.
            MissingDependencyError: ONNX Runtime is not installed.
        """
        refuse_for_processors(spec, NAME)
        self._gpu = find_gpu(device)
        self.device = dict(self._gpu.device.metadata).get("Description") or device_name(device)
        self._spec, self._threads = spec, threads or available_processors()
        self._sessions: list[_Sized] = []
        self._seen: frozenset[FrameShape] = frozenset()

    def run(self, frames: Frames, out: Frames) -> None:
        shape = FrameShape(*frames.shape[:3])
        sized = self._session_for(shape)
        step = sized.profile.part(shape)
        for start in range(0, shape.frames, step):
            part = slice(start, start + step)
            sized.run(frames[part], out[part])

    def describe(self) -> dict[str, str | int]:
        described: dict[str, str | int] = {
            "backend": self.name,
            "provider": self.provider,
            "device": self.device,
            "engine": f"TensorRT for RTX plug-in {plugin_version(PLUGIN)}",
        }
        if self._sessions:
            last = self._sessions[-1]
            described["engine"] = f"{last.session.engine}, {described['engine']}"
            described["shapes"] = ", ".join(str(sized.profile) for sized in self._sessions)
            described["cuda_graph"] = f"no: {last.no_graph}" if last.no_graph else "yes"
        return described

    def close(self) -> None:
        for sized in self._sessions:
            sized.session.close()
        self._sessions.clear()

    def _session_for(self, shape: FrameShape) -> _Sized:
        """A session that takes frames of this shape, in parts; a new one where none does."""
        for sized in self._sessions:
            if sized.profile.part(shape):
                return sized
        one = FrameShape(self._spec.frame_shape[0] or 1, shape.height, shape.width)
        profile = profile_for(one, self._seen, self._spec)
        no_graph = _why_no_graph(profile)
        session = OrtSession(
            NAME,
            sized_model(self._spec, profile),
            PROVIDER,
            self._threads,
            plugin_devices=[self._gpu],
            provider_options=provider_options(
                profile, runtime_cache(self.device, self._spec.sha256, profile), not no_graph
            ),
            config={"session.disable_cpu_ep_fallback": "1"},
        )
        if len(self._sessions) == _MAX_SESSIONS:
            self._sessions.pop(0).session.close()
        self._sessions.append(_Sized(profile, session, no_graph))
        self._seen |= {one._replace(frames=1)}
        return self._sessions[-1]


def _why_no_graph(profile: ShapeProfile) -> str:
    """Why a new session may not record a CUDA graph; "" if it may."""
    if not profile.is_fixed:
        return "sizes vary"
    with GATE.recording() as others:
        return others


def find_gpu(number: int) -> Device:
    """The GPU of that number among those that the plug-in lists. Raises BackendError."""
    found = usable_devices(PLUGIN, NAME, missing())
    if not found:
        raise cannot_run(NAME, _none_listed())
    if number >= len(found):
        raise BackendError(f"{NAME}: {no_such_gpu(number, len(found))}")
    return in_order(found)[number]


def in_order(found: Sequence[Device]) -> list[Device]:
    """The devices by their place on the bus, as nvidia-smi counts them."""
    return sorted(found, key=lambda gpu: dict(gpu.device.metadata).get("pci_bus_id", ""))


def _none_listed() -> str:
    if sys.platform == "linux" and not list(Path("/sys/class/drm").glob("card*")):
        return (
            "no GPU (ONNX Runtime looks for them in /sys/class/drm, which shows none: load the "
            "driver's module nvidia-drm)"
        )
    return "no GPU of the RTX 30 series or newer (the plug-in lists none)"


def sized_model(spec: ModelSpec, profile: ShapeProfile) -> bytes:
    """The model, serialised; for one size with that size in it, which TensorRT uses best."""
    model = spec.model()
    if profile.is_fixed:
        count, height, width = profile.usual
        _set_sizes(model.graph.input[0], (count, height, width))
        _set_sizes(model.graph.output[0], (count, spec.scale * height, spec.scale * width))
        del model.graph.value_info[:]
    return bytes(model.SerializeToString())


def _set_sizes(value: onnx.ValueInfoProto, sizes: tuple[int, int, int]) -> None:
    for dim, size in zip(value.type.tensor_type.shape.dim, sizes, strict=False):
        dim.dim_value = size


def provider_options(
    profile: ShapeProfile, cache: Path | None, graph: bool = True
) -> dict[str, str]:
    """The plug-in's options for frames of that profile; what it compiles is kept in `cache`.

    With `graph`, a profile of one size gets a CUDA graph.
    """
    options = {} if cache is None else {"nv_runtime_cache_path": str(cache)}
    if profile.is_fixed and not graph:
        return options
    if profile.is_fixed:
        # Memory that stays where it is, so that a recorded graph stays valid.
        return {**options, "enable_cuda_graph": "1", "nv_persistent_context_memory": "1"}
    shapes = {"min": profile.least, "opt": profile.usual, "max": profile.most}
    return {
        **options,
        **{f"nv_profile_{name}_shapes": f"{INPUT}:{shape}x3" for name, shape in shapes.items()},
    }


def runtime_cache(device: str, model_sha256: str, profile: ShapeProfile) -> Path | None:
    """The folder for what the plug-in compiles on one GPU for one engine; None if none can be made.

    The files in it are the library's own, which replaces those of another release.
    """
    gpu = re.sub(r"[^A-Za-z0-9._]+", "_", f"{device}-{plugin_version(PLUGIN)}")
    engine = f"{model_sha256[:16]}-{str(profile).replace(':', '-')}"
    folder = cache_folder() / NAME / gpu / engine
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        say_on_stderr(f"{folder}: compiled kernels cannot be stored ({error.strerror})")
        return None
    return folder
