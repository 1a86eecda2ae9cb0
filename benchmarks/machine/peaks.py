"""What this machine can do at most, measured: arithmetic by ONNX Runtime, memory by copies.

Arithmetic is the better of a matrix product and a 3×3 convolution of 64 channels, both large, on
the same provider, options and threads as the network; a GPU gets larger ones of random values, for
whose power it lowers its clocks. Memory is a copy of arrays far larger than the caches,
one slice for each thread; the bytes read and those written both count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ...common.errors import MissingDependencyError
from ...runtime.ort.library import load_onnxruntime
from ..shared.ort_provider import CPU, CUDA, open_session
from ..shared.timing import no_garbage_collection, repeat, time_ms

_CHANNELS = 64
_MOST_RANDOM = 1 << 27  # values; what is copied only may be all ones


@dataclass(frozen=True)
class Work:
    """How large the measured operations are: the sides of the matrices and of the convolution's
    input, and the bytes that are copied."""

    gemm: int
    side: int
    copy_bytes: int


# A call takes milliseconds on either, far longer than to start it.
CPU_WORK = Work(gemm=1024, side=160, copy_bytes=128 << 20)
GPU_WORK = Work(gemm=8192, side=1024, copy_bytes=512 << 20)


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

    def __init__(
        self, provider: str, precision: str, threads: int, device: int = 0, work: Work | None = None
    ) -> None:
        """`provider` is ONNX Runtime's name; `precision` that of the network; `device` a GPU's
        number.

        A CPU has fp32 and int8 arithmetic in ONNX Runtime, CUDA fp32 and fp16: what is neither is
        compared with fp32 on the CPU and with fp16 on CUDA.
        """
        self._provider, self._threads, self._device = provider, threads, device
        self._on_gpu = provider == CUDA
        self._work = work or (GPU_WORK if self._on_gpu else CPU_WORK)
        known, other = (("fp32", "fp16"), "fp16") if self._on_gpu else (("int8",), "fp32")
        self._precision = precision if precision in known else other
        self._pool = ThreadPoolExecutor(threads)
        # On a CPU, ONNX Runtime packs constants ahead; on a GPU they would be a file of 134 MB.
        self._gemm = self._session(
            gemm_model(self._precision, self._work.gemm, both_given=self._on_gpu)
        )
        self._convolution = self._session(convolution_model(self._precision, self._work.side))
        self._copy = self._copying()

    def measure(self, seconds: float = 0.4) -> Peaks:
        """Take the best of the calls made in `seconds` for each of the three."""
        work = self._work
        convolution = 2 * 9 * _CHANNELS * _CHANNELS * work.side**2
        return Peaks(
            self._provider,
            self._precision,
            self._threads,
            2 * work.gemm**3 / best_seconds(self._gemm, seconds),
            convolution / best_seconds(self._convolution, seconds),
            2 * work.copy_bytes / best_seconds(self._copy, seconds),
        )

    def close(self) -> None:
        """Free threads and memory."""
        self._pool.shutdown()

    def _session(self, model: onnx.ModelProto) -> Callable[[], object]:
        ort = load_onnxruntime()
        session = open_session(
            model.SerializeToString(), self._provider, self._precision, self._threads, self._device
        )
        device = "cuda" if self._on_gpu else "cpu"
        binding: Any = session.io_binding()
        for value in model.graph.input:
            kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
            shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
            filled = _filled(shape, kind, self._on_gpu)
            held = ort.OrtValue.ortvalue_from_numpy(filled, device, self._device)
            binding.bind_ortvalue_input(value.name, held)
        binding.bind_output("y", device, self._device)

        def call() -> None:
            session.run_with_iobinding(binding)
            binding.synchronize_outputs()

        return call

    def _copying(self) -> Callable[[], object]:
        size = self._work.copy_bytes
        if self._on_gpu:
            return self._session(copy_model(self._precision, size))
        # Filled, so that the pages exist before they are timed.
        source = np.ones(size // 8, np.float64)
        sources = np.array_split(source, self._threads)
        targets = np.array_split(np.zeros_like(source), self._threads)
        return lambda: list(self._pool.map(np.copyto, targets, sources))


def peak_meter(provider: str, precision: str, threads: int, device: int = 0) -> PeakMeter | None:
    """A meter for the provider that a session reports; None where its peak cannot be measured."""
    try:
        available = load_onnxruntime().get_available_providers()
    except MissingDependencyError:
        return None
    # TensorRT runs on the same GPU, whose peak ONNX Runtime's CUDA provider can show. Plug-ins are
    # among the available ones once they are registered; their copies are not measured.
    wanted = CUDA if provider.lower().startswith(("tensorrt", "cuda")) else provider
    measured = wanted in available and wanted in (CPU, CUDA)
    return PeakMeter(wanted, precision, threads, device) if measured else None


def _filled(shape: Sequence[int], kind: np.dtype[Any], random: bool) -> NDArray[Any]:
    if not random or np.prod(shape) > _MOST_RANDOM:
        return np.ones(shape, kind)
    return np.random.default_rng(0).standard_normal(shape, np.float32).astype(kind)


def best_seconds(call: Callable[[], object], seconds: float) -> float:
    """The shortest of the calls made in `seconds`, after two to warm up."""
    with no_garbage_collection():
        time_ms(call)
        time_ms(call)
        return min(time_ms(call) for _ in repeat(seconds, 3)) / 1000


def gemm_model(precision: str, side: int, *, both_given: bool = False) -> onnx.ModelProto:
    """y = x·w of square matrices; `both_given`: w is an input, too, not a constant."""
    operator = "MatMulInteger" if precision == "int8" else "MatMul"
    node = onnx.helper.make_node(operator, ["x", "w"], ["y"])
    if not both_given:
        return _model([node], precision, (side, side), (side, side))
    model = _model([node], precision, (side, side), (1, 1))
    del model.graph.initializer[:]
    second = onnx.ValueInfoProto()
    second.CopyFrom(model.graph.input[0])
    second.name = "w"
    model.graph.input.append(second)
    return model


def convolution_model(precision: str, side: int) -> onnx.ModelProto:
    """A 3×3 convolution that keeps its 64 channels; in int8 its output is codes again."""
    names, operator = ["x", "w"], "Conv"
    if precision == "int8":
        names, operator = (
            ["x", "step", "zero", "w", "step", "zero_s8", "step", "zero"],
            "QLinearConv",
        )
    node = onnx.helper.make_node(operator, names, ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    shape = (1, _CHANNELS, side, side)
    return _model([node], precision, shape, (_CHANNELS, _CHANNELS, 3, 3))


def copy_model(precision: str, size_bytes: int) -> onnx.ModelProto:
    """Reads and writes so many bytes once, for devices that NumPy cannot reach."""
    node = onnx.helper.make_node("Mul", ["x", "w"], ["y"])
    size = 2 if precision == "fp16" else 4
    return _model([node], precision, (size_bytes // size,), (1,))


def _model(
    nodes: list[onnx.NodeProto],
    precision: str,
    shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
) -> onnx.ModelProto:
    kinds: dict[str, tuple[int, NDArray[Any]]] = {
        "fp32": (onnx.TensorProto.FLOAT, np.full(weight_shape, 0.01, np.float32)),
        "fp16": (onnx.TensorProto.FLOAT16, np.full(weight_shape, 0.01, np.float16)),
        "int8": (onnx.TensorProto.UINT8, np.full(weight_shape, 1, np.int8)),
    }
    kind, weight = kinds[precision]
    constants: dict[str, NDArray[Any]] = {
        "w": weight,
        "step": np.array(0.01, np.float32),
        "zero": np.array(0, np.uint8),
        "zero_s8": np.array(0, np.int8),
    }
    made = {"MatMulInteger": onnx.TensorProto.INT32}.get(nodes[-1].op_type, kind)
    read = {name for node in nodes for name in node.input}
    describe = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "peak",
        [describe("x", kind, shape)],
        [describe("y", made, None)],
        [onnx.numpy_helper.from_array(v, name) for name, v in constants.items() if name in read],
    )
    opset = [onnx.helper.make_opsetid("", 20)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=10)
