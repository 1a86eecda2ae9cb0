"""ONNX Runtime's CUDA provider. Every node runs on the GPU or the model is refused."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from ...imaging.errors import BackendError
from ..host import available_processors
from ..model_file import OUTPUT, ModelSpec
from .base import Frames
from .engine import engine_problem, load_onnxruntime
from .ort_session import OrtSession

NAME = "onnx-cuda"
PROVIDER = "CUDAExecutionProvider"

INSTALL = '`pip uninstall -y onnxruntime onnxruntime-gpu && pip install "framelift[cuda]"`'


def missing() -> str | None:
    """Why this backend cannot be used here, as far as can be told without touching the GPU."""
    if not device_nodes():
        return "no NVIDIA GPU (/dev/nvidia0 is missing)"
    problem = engine_problem()
    if problem is not None:
        return str(problem)
    if PROVIDER not in load_onnxruntime().get_available_providers():
        return f"onnxruntime-gpu is not installed: run {INSTALL}"
    return None


class OnnxGpuSession:
    """What the two sessions of ONNX Runtime on a GPU share; see `base.Session`."""

    name: str
    provider: str
    device: str
    _session: OrtSession

    @property
    def engine(self) -> str:
        """Engine and version, as `describe` names it."""
        return self._session.engine

    def run(self, frames: Frames, out: Frames) -> None:
        self._session.infer(frames, OUTPUT, out)

    def describe(self) -> dict[str, str | int]:
        return {
            "backend": self.name,
            "provider": self.provider,
            "device": self.device,
            "engine": self.engine,
        }

    def close(self) -> None:
        self._session.close()


class OnnxCudaSession(OnnxGpuSession):
    """ONNX Runtime's CUDA provider."""

    name = NAME
    provider = PROVIDER

    def __init__(self, spec: ModelSpec, threads: int | None = None) -> None:
        """Load the model on the first GPU.

        Args:
            spec: the model.
            threads: host threads of the session; the network itself runs on the GPU.

        Raises:
            BackendError: no GPU, package or CUDA library, or a node that CUDA cannot run.
            MissingDependencyError: no engine is installed.
        """
        load_onnxruntime()  # says first that no engine is installed
        reason = missing()
        if reason is not None:
            raise BackendError(f"{NAME} cannot run here: {reason}")
        preload_libraries()
        self.device = device_name()
        # TF32 is the provider's default; an fp32 model means fp32, an fp16 one is faster.
        self._session = open_on_gpu(NAME, spec, PROVIDER, threads, {"use_tf32": "0"})


def preload_libraries() -> None:
    """Load the CUDA and cuDNN libraries that pip installed, which are on no loader path."""
    # It prints what it does not find; what is really missing is raised when a session is opened.
    with contextlib.redirect_stdout(io.StringIO()):
        load_onnxruntime().preload_dlls(directory="")


def open_on_gpu(
    backend: str, spec: ModelSpec, provider: str, threads: int | None, options: dict[str, str]
) -> OrtSession:
    """A session on the first GPU by `provider` alone, with the provider's `options`.

    Raises BackendError, with what to do about an error of CUDA or the loader.
    """
    try:
        return OrtSession(
            backend,
            spec.path.read_bytes(),
            provider,
            threads or available_processors(),
            provider_options={"device_id": "0", **options},
            config={"session.disable_cpu_ep_fallback": "1"},
        )
    except BackendError as error:
        raise BackendError(f"{error}{advice(str(error))}") from error


def device_nodes() -> list[Path]:
    """What the NVIDIA driver shows of its GPUs; empty if there are none."""
    dev = Path("/dev")
    return [*dev.glob("nvidia[0-9]*"), *dev.glob("dxg")]  # dxg is the GPU under WSL 2


def device_name() -> str:
    """The first GPU's name, from the driver."""
    for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("Model:"):
                return line.partition(":")[2].strip()
    return "CUDA device 0"


def advice(message: str) -> str:
    """What to do about an error of CUDA or the loader, to be put behind it; "" if unknown."""
    lowered = message.lower()
    if "driver version is insufficient" in lowered:
        return " (the NVIDIA driver is too old for this onnxruntime-gpu: update the driver)"
    if "no cuda-capable device" in lowered:
        return " (the driver shows no GPU: check nvidia-smi and CUDA_VISIBLE_DEVICES)"
    if "cannot open shared object" in lowered or "failed to load library" in lowered:
        return f" (CUDA or cuDNN libraries are missing: run {INSTALL})"
    return ""
