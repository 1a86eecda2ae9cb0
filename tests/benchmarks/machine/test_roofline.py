"""Counted work, and how a latency compares with measured peaks."""

from __future__ import annotations

from types import ModuleType

import onnx
import onnxruntime
import pytest

from framelift.benchmarks.machine import peaks as peaks_module
from framelift.benchmarks.machine.peaks import PeakMeter, Peaks, Work, best_seconds, peak_meter
from framelift.benchmarks.machine.roofline import compare_with_peak
from framelift.benchmarks.report.checks import limit_warnings
from framelift.benchmarks.shared.graph_cost import GraphCost, NodeCost, count
from framelift.common.errors import ModelError

PEAKS = Peaks("CPUExecutionProvider", "fp32", 1, gemm_ops=1e9, convolution_ops=2e9, copy_bytes=1e9)


def test_convolutions_are_counted_from_the_graph(tiny_models: ModuleType) -> None:
    model = tiny_models.pixel_shuffle_model(scale=2, channels=8, layers=2)
    before = model.SerializeToString()
    cost = count(model, 2, 10, 12)
    assert model.SerializeToString() == before
    pixels = 2 * 10 * 12
    assert cost.macs == pixels * (9 * 3 * 8 + 9 * 8 * 12 + 3 * 12)
    # Relu on 8 channels, Add and Clip on 12.
    assert cost.operations == 2 * cost.macs + pixels * (8 + 12 + 12)
    assert cost.frame_bytes == pixels * 3 * (1 + 4)
    assert cost.weight_bytes == 4 * (9 * 3 * 8 + 8 + 9 * 8 * 12 + 12 + 12 * 3 + 2)
    assert cost.least_bytes == cost.frame_bytes + cost.weight_bytes
    assert cost.layer_bytes > 10 * cost.least_bytes


def test_matrix_products_transposed_and_grouped_convolutions_are_counted() -> None:
    make = onnx.helper.make_node
    describe = onnx.helper.make_tensor_value_info
    kind = onnx.TensorProto.FLOAT
    weights = {"grouped": (6, 1, 5, 5), "up": (3, 4, 2, 2), "matrix": (7, 9)}
    graph = onnx.helper.make_graph(
        [
            make("Transpose", ["frames"], ["x"], perm=[0, 3, 1, 2]),
            make("Conv", ["x", "grouped"], ["a"], group=3, pads=[2, 2, 2, 2]),
            make("ConvTranspose", ["x", "up"], ["b"], strides=[2, 2]),
            make("MatMul", ["a", "matrix"], ["c"]),
            make("ReduceMax", ["b"], ["d"], keepdims=0),
        ],
        "g",
        [describe("frames", kind, ["n", "h", "w", 3])],
        [describe("c", kind, None), describe("d", kind, None)],
        [
            onnx.helper.make_tensor(name, kind, shape, b"\0" * 4 * _product(shape), raw=True)
            for name, shape in weights.items()
        ],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)])
    by_kind = {node.op_type: node.macs for node in count(model, 1, 8, 7).nodes}
    assert by_kind["Conv"] == 8 * 7 * 6 * 25
    assert by_kind["ConvTranspose"] == 8 * 7 * 3 * 4 * 4
    assert by_kind["MatMul"] == 6 * 8 * 9 * 7
    assert by_kind["Transpose"] == 0


def test_what_cannot_be_sized_is_said(tiny_models: ModuleType) -> None:
    model = tiny_models.nearest_model()
    resize = next(node for node in model.graph.node if node.op_type == "Resize")
    resize.input[2] = "unknown_factors"
    with pytest.raises(ModelError, match=r"the size of big \(Resize\) is unknown"):
        count(model, 1, 8, 8)


def test_the_limit_is_the_longer_of_arithmetic_and_least_traffic() -> None:
    heavy = _cost(operations=40_000_000, layer_bytes=1_000_000, frame_bytes=1_000)
    roof = compare_with_peak(heavy, PEAKS, median_ms=25)
    assert roof.arithmetic_ms == pytest.approx(20)
    assert roof.limit_ms == pytest.approx(20)
    assert roof.share_of_limit == pytest.approx(0.8)
    assert roof.reached_gops == pytest.approx(1.6)
    light = _cost(operations=1_000, layer_bytes=9_000_000, frame_bytes=4_000_000)
    assert compare_with_peak(light, PEAKS, median_ms=25).limit_ms == pytest.approx(4)


@pytest.mark.parametrize(
    ("operations", "layer_bytes", "expected"),
    [
        (40_000_000, 1_000, "arithmetic"),
        (10_000_000, 15_000_000, "memory traffic"),
        (1_000, 1_000, "overhead"),
    ],
)
def test_what_binds_explains_half_of_the_time(
    operations: int, layer_bytes: int, expected: str
) -> None:
    cost = _cost(operations, layer_bytes, frame_bytes=10)
    assert compare_with_peak(cost, PEAKS, median_ms=25).bound_by == expected


@pytest.mark.parametrize(("precision", "compared"), [("int8", "int8"), ("fp16", "fp32")])
def test_peaks_are_measured_and_the_better_one_counts(
    monkeypatch: pytest.MonkeyPatch, precision: str, compared: str
) -> None:
    monkeypatch.setattr(peaks_module, "CPU_WORK", Work(gemm=32, side=8, copy_bytes=1 << 16))
    meter = peak_meter("CPUExecutionProvider", precision, 1)
    assert isinstance(meter, PeakMeter)
    measured = meter.measure(seconds=0)
    meter.close()
    assert measured.precision == compared
    assert min(measured.gemm_ops, measured.convolution_ops, measured.copy_bytes) > 0
    assert measured.better(PEAKS).operations >= PEAKS.operations
    assert PEAKS.operations == 2e9


def test_an_engine_that_onnx_runtime_cannot_stand_for_has_no_peak() -> None:
    assert peak_meter("TensorRT", "fp16", 1) is None


def test_a_registered_plugin_has_no_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = ["WebGpuExecutionProvider", "NvTensorRTRTXExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: plugins)
    for provider in plugins[:2]:
        assert peak_meter(provider, "fp16", 1) is None


def test_the_best_call_counts() -> None:
    assert best_seconds(lambda: None, 0) < best_seconds(lambda: sum(range(100_000)), 0)


def _cost(operations: int, layer_bytes: int, frame_bytes: int) -> GraphCost:
    return GraphCost((NodeCost("Conv", operations // 2, 0, layer_bytes),), frame_bytes, 0)


def _product(shape: tuple[int, ...]) -> int:
    result = 1
    for size in shape:
        result *= size
    return result


def test_a_case_above_the_measured_limit_is_named() -> None:
    assert limit_warnings({"a": 0.99, "b": 1.0}) == []
    (warning,) = limit_warnings({"a": 1.18, "b": 0.5})
    assert warning.startswith("above the measured limit: a;")
