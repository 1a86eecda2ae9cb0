"""The first convolution of int8 models in groups of four pixels: the same bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from framelift.runtime.backends.cpu.grouped import group_pixels
from framelift.runtime.backends.cpu.saturation import has_vnni, prepare_int8
from framelift.runtime.models.file import load
from framelift.runtime.models.zoo import resolve, shipped_models

INT8 = "realtime-nano-x4-int8"


def prepared(name: str = INT8) -> onnx.ModelProto:
    _, model = load(resolve(name))
    prepare_int8(model)
    return model


def opened(model: onnx.ModelProto) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )

    def run(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        (result,) = session.run(None, {"frames": frames})
        return np.asarray(result, np.uint8)

    return run


@pytest.mark.skipif(not has_vnni(), reason="without VNNI sums may be cut off at 16 bits")
@pytest.mark.parametrize(
    "name", sorted(name for name in shipped_models() if name.endswith("-int8"))
)
def test_all_shipped_int8_models_give_the_same_bits(name: str) -> None:
    model = prepared(name)
    before = opened(model)
    assert group_pixels(model)
    after = opened(model)
    noise = np.random.default_rng(1)
    for shape in ((1, 5, 16, 3), (2, 9, 21, 3)):
        frames = noise.integers(0, 256, shape, dtype=np.uint8)
        assert np.array_equal(before(frames), after(frames))


@pytest.mark.skipif(not has_vnni(), reason="without VNNI sums may be cut off at 16 bits")
@pytest.mark.parametrize("kernel", [3, 5, 7, 9, 11])
def test_every_width_and_kernel_gives_the_same_bits(kernel: int) -> None:
    model = of_kernel(kernel)
    before = opened(model)
    assert group_pixels(model)
    after = opened(model)
    noise = np.random.default_rng(kernel)
    for width in range(1, 14):
        for dark in (0, 250):  # borders are black, whatever is beside them
            frames = noise.integers(dark, 256, (1, 3, width, 3), dtype=np.uint8)
            assert np.array_equal(before(frames), after(frames)), width


def test_one_step_for_all_outputs() -> None:
    model = of_kernel(3)
    for tensor in model.graph.initializer:
        if tensor.name in ("steps", "zeros"):
            value = onnx.numpy_helper.to_array(tensor)[:1]
            tensor.CopyFrom(onnx.numpy_helper.from_array(value, tensor.name))
        elif tensor.name == "no_offsets":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.zeros(1, np.int32), tensor.name))
    before = opened(model)
    grouped = group_pixels(model)
    after = opened(model)
    frames = np.random.default_rng(0).integers(0, 256, (1, 3, 9, 3), dtype=np.uint8)
    assert grouped
    assert np.array_equal(before(frames), after(frames))


@pytest.mark.parametrize(
    "change",
    ["strides", "dilations", "pads", "group", "zero", "opset", "two readers", "weights"],
)
def test_others_are_left_alone(change: str) -> None:
    model = of_kernel(3)
    nodes = {node.op_type: node for node in model.graph.node}
    conv = nodes["Conv"]
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    if change in ("strides", "dilations", "pads"):
        conv.attribute.append(
            onnx.helper.make_attribute(change, [2] * (4 if change == "pads" else 2))
        )
        if change == "pads":
            del conv.attribute[0]
    elif change == "group":
        conv.attribute.append(onnx.helper.make_attribute("group", 3))
    elif change == "zero":
        tensors["zero"].CopyFrom(onnx.numpy_helper.from_array(np.array(1, np.uint8), "zero"))
    elif change == "opset":
        model.opset_import[0].version = 14
    elif change == "two readers":
        model.graph.node.append(onnx.helper.make_node("Identity", ["frames"], ["again"]))
    else:
        codes = onnx.numpy_helper.to_array(tensors["codes"]).astype(np.uint8)
        tensors["codes"].CopyFrom(onnx.numpy_helper.from_array(codes, "codes"))
    text = model.SerializeToString()
    assert not group_pixels(model)
    assert model.SerializeToString() == text


def of_kernel(side: int) -> onnx.ModelProto:
    """A convolution of uint8 frames by int8 weights, N×H×W×3 to N×5×H×W."""
    noise = np.random.default_rng(side)
    node, tensor = onnx.helper.make_node, onnx.numpy_helper.from_array
    constants: dict[str, NDArray[Any]] = {
        "one": np.array(1, np.float32),
        "zero": np.array(0, np.uint8),
        "codes": noise.integers(-127, 128, (5, 3, side, side)).astype(np.int8),
        "steps": noise.uniform(0.5, 1.5, 5).astype(np.float32),
        "zeros": np.zeros(5, np.int8),
        "offsets": noise.integers(-999, 999, 5).astype(np.int32),
        "no_offsets": np.zeros(5, np.int32),
        "step": np.array(9.0 * side, np.float32),
        "middle": np.array(128, np.uint8),
    }
    graph = onnx.helper.make_graph(
        [
            node("Transpose", ["frames"], ["nchw"], perm=[0, 3, 1, 2]),
            node("DequantizeLinear", ["nchw", "one", "zero"], ["values"]),
            node("DequantizeLinear", ["codes", "steps", "zeros"], ["weight"], axis=0),
            node("DequantizeLinear", ["offsets", "steps", "no_offsets"], ["bias"], axis=0),
            node(
                "Conv",
                ["values", "weight", "bias"],
                ["sums"],
                pads=[side // 2] * 4,
                kernel_shape=[side, side],
            ),
            node("QuantizeLinear", ["sums", "step", "middle"], ["result"]),
        ],
        "first",
        [
            onnx.helper.make_tensor_value_info(
                "frames", onnx.TensorProto.UINT8, [None, None, None, 3]
            )
        ],
        [
            onnx.helper.make_tensor_value_info(
                "result", onnx.TensorProto.UINT8, [None, 5, None, None]
            )
        ],
        [tensor(array, name) for name, array in constants.items()],
    )
    opsets = [onnx.helper.make_opsetid("", 18)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9)
