"""WebGPU through ONNX Runtime's plug-in: any GPU, by Vulkan, Direct3D or Metal.

Run on SwiftShader, which is Vulkan in software, against the processor's result; on hardware not yet
(docs/backends.md). Every node runs by WebGPU or the model is refused.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from pathlib import Path

from ...common.errors import BackendError, cannot_run
from ..machine.host import available_processors
from ..models.contract import OUTPUT
from ..models.file import ModelSpec
from ..models.int8_form import refuse_for_processors
from ..ort.plugins import (
    Device,
    Plugin,
    is_installed,
    plugin_problem,
    plugin_version,
    usable_devices,
)
from ..ort.session import LEFT_TO_CPU, OrtSession
from ..session.protocol import Frames
from .cpu.widen import has_half, widen, widened_bytes

NAME = "onnx-webgpu"
PROVIDER = "WebGpuExecutionProvider"

PLUGIN = Plugin(
    extra="webgpu",
    package="onnxruntime_ep_webgpu",
    distribution="onnxruntime-ep-webgpu",
    provider=PROVIDER,
    library="onnxruntime_providers_webgpu",
)

# With this set to 1 the plug-in also lists adapters that are software; for tests.
SOFTWARE = "ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER"

_VENDORS = {0x1002: "AMD", 0x106B: "Apple", 0x10DE: "NVIDIA", 0x5143: "Qualcomm", 0x8086: "Intel"}
# All sessions of a process share one WebGPU device, and the plug-in 0.4.0 ends the process when two
# of them run at once.
_DEVICE = threading.RLock()

_NO_HALF = "requires f16"  # in the plug-in's message


def missing() -> str | None:
    """Why this backend cannot be used here, found out without loading the plug-in."""
    # Without a GPU the rest need not be asked, which takes longer.
    return (_no_gpu() if is_installed(PLUGIN) else None) or plugin_problem(PLUGIN)


def _no_gpu() -> str | None:
    if sys.platform != "linux":
        return None
    if not list(Path("/sys/class/drm").glob("card*")) and os.environ.get(SOFTWARE) != "1":
        return "no GPU (the system shows none in /sys/class/drm)"
    try:
        ctypes.CDLL("libvulkan.so.1")
    except OSError:
        return "no Vulkan (libvulkan.so.1 is missing): run `apt-get install libvulkan1`"
    return None


class OnnxWebgpuSession:
    """See `runtime.session.protocol.Session`.

    `is_discrete` says whether the GPU has memory of its own, as far as the system shows: where it
    has not, the processor may be the faster one.
    """

    name = NAME
    provider = PROVIDER

    def __init__(self, spec: ModelSpec, threads: int | None = None, device: int = 0) -> None:
        """Load the model on the GPU that the system puts first.

        Args:
            spec: the model. fp16 is computed in float32 where the GPU has no half precision.
            threads: host threads of the session; the network itself runs on the GPU.
            device: 0; the plug-in chooses the GPU itself, the fastest as the system says.

        Raises:
            BackendError: no GPU, package or Vulkan, or a node that the plug-in cannot run, as every
                int8 model has.
            MissingDependencyError: no engine is installed.
        """
        refuse_for_processors(spec, NAME)
        gpu = find_gpu(device)
        self.device = described(gpu)
        self.is_discrete = _is_discrete(gpu)
        self.is_software = is_software(gpu)
        self._gpu, self._threads = gpu, threads or available_processors()
        model = spec.model()
        self._widened = False
        self.activation_bytes = spec.activation_bytes
        if has_half(model.graph):
            try:
                self._session = self._opened(model.SerializeToString())
                return
            except BackendError as error:
                if _NO_HALF not in str(error):
                    raise
            self._widened = True
            widen(model.graph)
            self.activation_bytes = widened_bytes(spec, model)
        self._session = self._opened(model.SerializeToString())

    def run(self, frames: Frames, out: Frames) -> None:
        with _DEVICE:
            self._session.infer(frames, OUTPUT, out)

    def describe(self) -> dict[str, str | int]:
        described: dict[str, str | int] = {
            "backend": self.name,
            "provider": self.provider,
            "device": self.device,
            "engine": f"{self._session.engine}, WebGPU plug-in {plugin_version(PLUGIN)}",
        }
        if self._widened:
            described["computed_in"] = "float32"
        return described

    def close(self) -> None:
        with _DEVICE:
            self._session.close()

    def _opened(self, model: bytes) -> OrtSession:
        def session(cpu_too: str) -> OrtSession:
            config = {"session.disable_cpu_ep_fallback": cpu_too}
            return OrtSession(
                NAME, model, PROVIDER, self._threads, plugin_devices=[self._gpu], config=config
            )

        with _DEVICE:
            try:
                return session("1")
            except BackendError as error:
                if LEFT_TO_CPU in str(error):
                    session("0").close()  # its error names the operators, if any does
                raise


def find_gpu(number: int) -> Device:
    """What the plug-in lists first. Raises BackendError."""
    found = usable_devices(PLUGIN, NAME, missing())
    if number:
        raise BackendError(
            f"{NAME} cannot run on GPU {number}: its plug-in chooses the GPU; leave the number out"
        )
    if not found:
        raise cannot_run(NAME, "no GPU (the plug-in lists none)")
    return max(found, key=_is_discrete)  # of several, the plug-in takes the fastest


def _is_discrete(gpu: Device) -> bool:
    return dict(gpu.device.metadata).get("Discrete") == "1"


def is_software(gpu: Device) -> bool:
    return str(gpu.device.type).rpartition(".")[2] == "CPU"


def described(gpu: Device) -> str:
    """What the system shows of a GPU; its name on Windows only."""
    if is_software(gpu):
        return "a software adapter"
    name = dict(gpu.device.metadata).get("Description")
    if name:
        return str(name)
    vendor, device = int(gpu.device.vendor_id), int(gpu.device.device_id)
    maker = _VENDORS.get(vendor)
    return f"{maker} GPU" if maker and not device else f"{maker or 'GPU'} {vendor:04x}:{device:04x}"
