"""ONNX Runtime's CUDA provider. Every node runs on the GPU or the model is refused."""

from __future__ import annotations

import contextlib
import io

from ...common.errors import cannot_run
from ..gpu.limits import DEFAULT_LIMITS, GpuLimits
from ..machine.nvidia import device_name, gpu_problem
from ..models.file import ModelSpec
from ..models.int8_form import refuse_for_processors
from ..ort.library import engine_problem, load_onnxruntime
from .onnx_gpu import INSTALL, OnnxGpuSession

NAME = "onnx-cuda"
PROVIDER = "CUDAExecutionProvider"


def missing() -> str | None:
    """Why this backend cannot be used here, found out without touching the GPU."""
    problem = gpu_problem() or engine_problem()
    if problem is not None:
        return str(problem)
    if PROVIDER not in load_onnxruntime().get_available_providers():
        return f"onnxruntime-gpu is not installed: run {INSTALL}"
    return None


class OnnxCudaSession(OnnxGpuSession):
    """ONNX Runtime's CUDA provider."""

    name = NAME
    provider = PROVIDER
    library = "cuda"
    records_graphs = True

    def __init__(
        self,
        spec: ModelSpec,
        threads: int | None = None,
        device: int = 0,
        *,
        limits: GpuLimits = DEFAULT_LIMITS,
    ) -> None:
        """Load the model on a GPU.

        Args:
            spec: the model.
            threads: host threads of the session; the network itself runs on the GPU.
            device: the number of the GPU, as CUDA counts them.
            limits: how much is done at once.

        Raises:
            BackendError: no GPU, package or CUDA library, or a node that CUDA cannot run, as an
                int8 model for processors has.
            MissingDependencyError: no engine is installed.
        """
        refuse_for_processors(spec, NAME)
        load_onnxruntime()  # says first that no engine is installed
        reason = missing()
        if reason is not None:
            raise cannot_run(NAME, reason)
        preload_libraries()
        self.device, self.device_number = device_name(device), device
        self._nhwc = spec.precision == "fp16"
        graphs = {"enable_cuda_graph": "1"}
        self._open(spec, threads, provider_options(spec.precision), graphs, limits)

    def describe(self) -> dict[str, str | int]:
        return {**super().describe(), "layout": "NHWC preferred" if self._nhwc else "NCHW"}


def provider_options(precision: str) -> dict[str, str]:
    """The CUDA provider's options for a model of that precision."""
    return {
        # TF32 is the provider's default; an fp32 model means fp32, an fp16 one is faster.
        "use_tf32": "0",
        # Tensor cores want channels last. Without them (fp32 and no TF32), cuDNN's kernels for
        # channels first are the faster ones.
        "prefer_nhwc": "1" if precision == "fp16" else "0",
    }


def preload_libraries() -> None:
    """Load the CUDA and cuDNN libraries that pip installed, which are on no loader path."""
    # It prints what it does not find; what is really missing is raised when a session is opened.
    with contextlib.redirect_stdout(io.StringIO()):
        load_onnxruntime().preload_dlls(directory="")
