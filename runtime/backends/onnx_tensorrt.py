"""TensorRT by ONNX Runtime's own provider; it takes every node or the model is refused.

It has not been run on hardware yet: what it says when something is missing is tested, the test
marked `gpu` does the rest. The released onnxruntime-gpu is linked with TensorRT 10, while a plain
`pip install tensorrt` brings 11, which the backend `tensorrt` takes.

Engines and timings are ONNX Runtime's own files below the cache folder and carry no checksum.
TensorRT may compute float32 convolutions in TF32, for which the provider has no switch;
NVIDIA_TF32_OVERRIDE=0 in the environment forbids it.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import re
import sys
from pathlib import Path

import numpy as np

from ...common.cache_folder import cache_folder
from ...common.errors import BackendError, cannot_run
from ...common.notes import say_on_stderr
from ...common.text import one_line
from ..machine.nvidia import device_name, gpu_problem, installed_driver
from ..models.contract import INPUT, OUTPUT
from ..models.file import ModelSpec
from ..models.int8_form import refuse_for_processors
from ..ort.library import engine_problem, load_onnxruntime
from ..ort.linkage import NVINFER, linked_major, provider_library
from .onnx_cuda import preload_libraries
from .onnx_gpu import INSTALL, OnnxGpuSession, advice, open_on_gpu

NAME = "onnx-tensorrt"
PROVIDER = "TensorrtExecutionProvider"
_TRIED_BYTES = 1 << 20


def missing() -> str | None:
    """Why this backend cannot be used here, found out without touching the GPU."""
    problem = gpu_problem() or engine_problem()
    if problem is not None:
        return str(problem)
    if sys.platform != "linux":
        return f"it runs under Linux only, not on {sys.platform}: tensorrt and tensorrt-rtx do"
    linked = linked_major(provider_library("tensorrt"), NVINFER)
    if linked is None or PROVIDER not in load_onnxruntime().get_available_providers():
        return f"no onnxruntime-gpu with a TensorRT provider is installed: run {INSTALL}"
    return library_problem(linked)


def library_problem(linked: int) -> str | None:
    """Why the TensorRT release that the provider is linked with cannot be loaded, or None."""
    library = f"libnvinfer.so.{linked}"
    if _location(library).is_absolute() or _loads(library):
        return None
    wanted = f'"tensorrt>={linked},<{linked + 1}"'
    try:
        have = importlib.metadata.version("tensorrt")
    except importlib.metadata.PackageNotFoundError:
        state, command = "which is not installed", f"pip install {wanted}"
    else:
        state, command = f"but TensorRT {have} is installed", f"pip install {wanted}"
        if have.partition(".")[0] == str(linked):
            state, command = "which is missing", f"pip install --force-reinstall {wanted}"
    return f"onnxruntime-gpu needs TensorRT {linked} ({library}), {state}: run `{command}`"


def try_out(spec: ModelSpec, device: int) -> None:
    """Start the provider and take a megabyte of the GPU; no engine is built.

    The provider makes TensorRT's runtime, builder and stream when a session is opened. It builds
    nothing yet for a network of open sizes, so that is what it is given instead of the model; a
    node of the model that TensorRT does not take is found when the backend opens it.

    Raises:
        BackendError: no GPU, package, TensorRT or CUDA library, or the provider fails.
        MissingDependencyError: no engine is installed.
    """
    ort = load_onnxruntime()
    _load_libraries()
    session = open_on_gpu(OnnxTensorrtSession, _open_sizes(), 1, device, {})
    try:
        ort.OrtValue.ortvalue_from_numpy(np.zeros(_TRIED_BYTES, np.uint8), "cuda", device)
    except Exception as error:  # ONNX Runtime's own exception types share no public base
        reason = one_line(error)
        raise BackendError(f"{NAME} cannot use GPU {device}: {reason}{advice(reason)}") from error
    session.close()


def _open_sizes() -> bytes:
    """A network of one node that takes float32 N×3×H×W of any size."""
    import onnx

    kind = onnx.TensorProto.FLOAT
    sizes: list[str | int | None] = ["n", 3, "h", "w"]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", [INPUT], [OUTPUT])],
        "trial",
        [onnx.helper.make_tensor_value_info(INPUT, kind, sizes)],
        [onnx.helper.make_tensor_value_info(OUTPUT, kind, sizes)],
    )
    opset = onnx.helper.make_opsetid("", 17)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    data: bytes = model.SerializeToString()
    return data


def _load_libraries() -> str:
    """Load what the provider needs; the version of TensorRT. Raises BackendError."""
    reason = missing()
    if reason is not None:
        raise cannot_run(NAME, reason)
    preload_libraries()
    return load_tensorrt(linked_major(provider_library("tensorrt"), NVINFER) or 0)


class OnnxTensorrtSession(OnnxGpuSession):
    """ONNX Runtime's TensorRT provider.

    An engine is built when frames of a new size come, unless it is kept.
    """

    name = NAME
    provider = PROVIDER
    library = "tensorrt"
    records_graphs = False

    def __init__(self, spec: ModelSpec, threads: int | None = None, device: int = 0) -> None:
        """Load the model on a GPU.

        Args:
            spec: the model.
            threads: host threads of the session; the network itself runs on the GPU.
            device: the number of the GPU, as CUDA counts them.

        Raises:
            BackendError: no GPU, package, TensorRT of the release that is needed or CUDA library,
                or a node that TensorRT does not take, as an int8 model for processors has.
            MissingDependencyError: no engine is installed.
        """
        refuse_for_processors(spec, NAME)
        ort = load_onnxruntime()
        self._tensorrt = _load_libraries()
        self.device, self.device_number = device_name(device), device
        folder = cache_path(self.device, installed_driver(), ort.__version__, self._tensorrt)
        self._open(spec, threads, cache_options(folder, spec.sha256), {})

    @property
    def engine(self) -> str:
        return f"{super().engine}, TensorRT {self._tensorrt}"


def load_tensorrt(linked: int) -> str:
    """Load TensorRT for the provider, which looks on the loader's path only; its version.

    Raises BackendError if it or something that it needs cannot be loaded.
    """
    try:
        library = ctypes.CDLL(str(_location(f"libnvinfer.so.{linked}")))
        ctypes.CDLL(str(_location(f"libnvonnxparser.so.{linked}")))
        version = int(library.getInferLibVersion())
    except (OSError, AttributeError) as error:
        raise cannot_run(NAME, f"{error}{advice(str(error))}") from error
    return f"{version // 10000}.{version // 100 % 100}.{version % 100}"


def cache_path(device: str, driver: str | None, onnxruntime: str, tensorrt: str) -> Path:
    """The folder for what holds with one GPU, driver and release of each library."""
    parts = (device, driver or "", f"onnxruntime{onnxruntime}", f"trt{tensorrt}")
    name = "-".join(re.sub(r"[^A-Za-z0-9._]+", "_", part) for part in parts if part)
    return cache_folder() / NAME / name


def cache_options(folder: Path, model_sha256: str) -> dict[str, str]:
    """The provider's options: engines kept for each model, timings for all; none if that fails."""
    engines = folder / model_sha256[:16]
    try:
        engines.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        say_on_stderr(f"{engines}: engines cannot be stored ({error.strerror})")
        return {}
    return {
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": str(engines),
        "trt_timing_cache_enable": "True",
        "trt_timing_cache_path": str(folder),
    }


def _location(library: str) -> Path:
    """Where pip put a library of TensorRT; else its bare name, for the loader to find."""
    spec = importlib.util.find_spec("tensorrt_libs")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder).absolute() / library
        if path.is_file():
            return path
    return Path(library)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
