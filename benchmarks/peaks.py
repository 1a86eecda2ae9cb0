"""What this machine can do at most, measured: arithmetic by ONNX Runtime, memory by copies.

Arithmetic is the better of a matrix product and a 3×3 convolution of 64 channels, both large, on
the same provider and threads as the network. Memory is a copy of arrays far larger than the caches,
one slice for each thread; the bytes read and those written both count.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..imaging.errors import MissingDependencyError
from ..runtime.backends.engine import load_onnxruntime
from .timing import no_garbage_collection, repeat, time_ms

if TYPE_CHECKING:
    import onnx

_GEMM = 1024
_CHANNELS, _SIDE = 64, 160
_COPY_BYTES = 128 << 20
_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@dataclass(frozen=True)
class Peaks:
    """Operations per second (a multiply-accumulate is two) and bytes per second."""

    provider: str
    precision: str
    threads: int
    gemm_ops: float
    convolution_ops: float
    copy_bytes: float

    @property
    def operations(self) -> float:
        """The better of the two kinds of arithmetic."""
        return max(self.gemm_ops, self.convolution_ops)

    def better(self, other: Peaks) -> Peaks:
        """The higher of two measurements of the same thing, figure by figure."""
        return Peaks(
            self.provider,
            self.precision,
            self.threads,
            max(self.gemm_ops, other.gemm_ops),
            max(self.convolution_ops, other.convolution_ops),
            max(self.copy_bytes, other.copy_bytes),
        )


class PeakMeter:
    """Measures one provider; `measure` may be called before and after what it is compared with."""

    def __init__(self, provider: str, precision: str, threads: int) -> None:
        """`provider` is ONNX Runtime's name; `precision` fp32 or fp16 (the latter for CUDA).

        On the CPU all precisions are compared with float32 arithmetic.
        """
        self._provider, self._threads = provider, threads
        self._precision = precision if provider == _CUDA else "fp32"
        self._gemm = self._session(gemm_model(self._precision))
        self._convolution = self._session(convolution_model(self._precision))
        self._pool = ThreadPoolExecutor(threads)
        # Filled, so that the pages exist before they are timed.
        self._source = np.ones(_COPY_BYTES // 8, np.float64)
        self._target = np.zeros_like(self._source)

    def measure(self, seconds: float = 0.4) -> Peaks:
        """Take the best of the calls made in `seconds` for each of the three."""
        pixels = _SIDE * _SIDE
        convolution = 2 * 9 * _CHANNELS * _CHANNELS * pixels
        return Peaks(
            self._provider,
            self._precision,
            self._threads,
            2 * _GEMM**3 / best_seconds(self._gemm, seconds),
            convolution / best_seconds(self._convolution, seconds),
            2 * _COPY_BYTES / best_seconds(self._copy(), seconds),
        )

    def close(self) -> None:
        """Free threads and memory."""
        self._pool.shutdown()

    def _session(self, model: onnx.ModelProto) -> Callable[[], object]:
        ort = load_onnxruntime()
        options = ort.SessionOptions()
        options.add_session_config_entry("session.force_spinning_stop", "1")  # see float_session
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 4
        session = ort.InferenceSession(
            model.SerializeToString(), options, providers=[self._provider]
        )
        device = "cuda" if self._provider == _CUDA else "cpu"
        kind = np.float16 if self._precision == "fp16" else np.float32
        shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
        value: Any = ort.OrtValue.ortvalue_from_numpy(np.ones(shape, kind), device, 0)
        binding: Any = session.io_binding()
        binding.bind_ortvalue_input("x", value)
        binding.bind_output("y", device)

        def call() -> None:
            session.run_with_iobinding(binding)
            binding.synchronize_outputs()

        return call

    def _copy(self) -> Callable[[], object]:
        if self._provider == _CUDA:
            return self._session(copy_model(self._precision))
        sources = np.array_split(self._source, self._threads)
        targets = np.array_split(self._target, self._threads)
        return lambda: list(self._pool.map(np.copyto, targets, sources))


def peak_meter(provider: str, precision: str, threads: int) -> PeakMeter | None:
    """A meter for the provider that a session reports; None where its peak cannot be measured."""
    try:
        available = load_onnxruntime().get_available_providers()
    except MissingDependencyError:
        return None
    # TensorRT runs on the same GPU, whose peak ONNX Runtime's CUDA provider can show.
    wanted = _CUDA if provider.lower().startswith(("tensorrt", "cuda")) else provider
    return PeakMeter(wanted, precision, threads) if wanted in available else None


def best_seconds(call: Callable[[], object], seconds: float) -> float:
    """The shortest of the calls made in `seconds`, after two to warm up."""
    with no_garbage_collection():
        time_ms(call)
        time_ms(call)
        return min(time_ms(call) for _ in repeat(seconds, 3)) / 1000


def gemm_model(precision: str) -> onnx.ModelProto:
    """y = x·w of square matrices."""
    import onnx

    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    return _model([node], precision, (_GEMM, _GEMM), (_GEMM, _GEMM))


def convolution_model(precision: str) -> onnx.ModelProto:
    """A 3×3 convolution that keeps its 64 channels."""
    import onnx

    node = onnx.helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    shape = (1, _CHANNELS, _SIDE, _SIDE)
    return _model([node], precision, shape, (_CHANNELS, _CHANNELS, 3, 3))


def copy_model(precision: str) -> onnx.ModelProto:
    """Reads and writes `_COPY_BYTES` once, for devices that NumPy cannot reach."""
    import onnx

    node = onnx.helper.make_node("Mul", ["x", "w"], ["y"])
    size = 2 if precision == "fp16" else 4
    return _model([node], precision, (_COPY_BYTES // size,), (1,))


def _model(
    nodes: list[onnx.NodeProto],
    precision: str,
    shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
) -> onnx.ModelProto:
    import onnx

    half = precision == "fp16"
    kind = onnx.TensorProto.FLOAT16 if half else onnx.TensorProto.FLOAT
    weight = np.full(weight_shape, 0.01, np.float16 if half else np.float32)
    describe = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "peak",
        [describe("x", kind, shape)],
        [describe("y", kind, None)],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    opset = [onnx.helper.make_opsetid("", 20)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=10)
