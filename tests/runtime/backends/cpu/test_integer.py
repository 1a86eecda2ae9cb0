"""int8 models of TensorRT's form are run in integers; all others are left as they are."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from framelift.runtime.backends.cpu.integer import run_in_integers

FRAMES = np.random.default_rng(0).integers(0, 256, (1, 12, 14, 3), np.uint8)


def quantised(zero: int = 0) -> onnx.ModelProto:
    """frames → float Conv → Relu → Q/DQ int8 → int8 Conv → the exporter's tail, x2."""
    rng = np.random.default_rng(0)
    constants: dict[str, NDArray[np.generic]] = {
        "w0": rng.normal(0, 0.3, (8, 3, 3, 3)).astype(np.float32),
        "b0": rng.normal(0, 9, 8).astype(np.float32),
        "codes": rng.integers(-20, 100, (12, 8, 1, 1), np.int8),
        "steps": rng.uniform(3e-4, 1e-3, 12).astype(np.float32),
        "zeros": np.zeros(12, np.int8),
        "b1": rng.normal(20, 3, 12).astype(np.float32) + np.float32(0.5),
        "step": np.array(9, np.float32),
        "zero": np.array(zero, np.int8),
        "low": np.array(0, np.float32),
        "high": np.array(255, np.float32),
    }
    grid = ["step", "zero"]
    nodes = [
        helper.make_node("Cast", ["frames"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["f"], ["x"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["x", "w0", "b0"], ["c0"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c0"], ["r0"]),
        helper.make_node("QuantizeLinear", ["r0", *grid], ["q0"]),
        helper.make_node("DequantizeLinear", ["q0", *grid], ["a0"]),
        helper.make_node("DequantizeLinear", ["codes", "steps", "zeros"], ["w1"], axis=0),
        helper.make_node("Conv", ["a0", "w1", "b1"], ["c1"]),
        helper.make_node("Clip", ["c1", "low", "high"], ["k"]),
        helper.make_node("Floor", ["k"], ["l"]),
        helper.make_node("DepthToSpace", ["l"], ["d"], blocksize=2, mode="CRD"),
        helper.make_node("Transpose", ["d"], ["t"], perm=[0, 2, 3, 1]),
        helper.make_node("Cast", ["t"], ["upscaled"], to=TensorProto.UINT8),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("frames", TensorProto.UINT8, [1, "h", "w", 3])],
        [helper.make_tensor_value_info("upscaled", TensorProto.UINT8, [1, "a", "b", 3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def run(model: onnx.ModelProto, frames: NDArray[np.uint8] = FRAMES) -> NDArray[np.int16]:
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    result: NDArray[np.int16] = session.run(None, {"frames": frames})[0].astype(np.int16)
    return result


def test_integers_give_the_same_to_one_code_value() -> None:
    model = quantised()
    wanted = run(model)
    assert wanted.std() > 10
    assert run_in_integers(model)
    assert not {"Relu", "Floor"} & {node.op_type for node in model.graph.node}
    assert np.abs(run(model) - wanted).max() <= 1


def test_what_is_beyond_the_range_is_cut_off_where_the_file_says() -> None:
    """int8 ends at 127 steps; uint8, as which it is run, would go on to 255."""
    model = quantised()
    step = next(tensor for tensor in model.graph.initializer if tensor.name == "step")
    step.CopyFrom(numpy_helper.from_array(np.array(0.9, np.float32), "step"))
    for frame in (np.full_like(FRAMES, 255), FRAMES // 128 * 255):
        wanted = run(model, frame)
        integers = onnx.ModelProto()
        integers.CopyFrom(model)
        assert run_in_integers(integers)
        assert np.abs(run(integers, frame) - wanted).max() <= 1


def test_other_models_are_left_alone(tiny_models: ModuleType) -> None:
    for model in (tiny_models.pixel_shuffle_model(), quantised(zero=3)):
        before = model.SerializeToString(deterministic=True)
        assert not run_in_integers(model)
        assert model.SerializeToString(deterministic=True) == before


def test_convolutions_of_another_form_stay_as_they_are() -> None:
    for change in ("one step for all weights", "no zero point", "a bias that is computed"):
        model = quantised()
        constants = {tensor.name: tensor for tensor in model.graph.initializer}
        nodes = {node.output[0]: node for node in model.graph.node}
        if change == "one step for all weights":
            del nodes["w1"].attribute[:]
            constants["steps"].CopyFrom(
                numpy_helper.from_array(np.array(5e-4, np.float32), "steps")
            )
            constants["zeros"].CopyFrom(numpy_helper.from_array(np.array(0, np.int8), "zeros"))
        elif change == "no zero point":
            del nodes["w1"].input[2]
        else:
            nodes["c1"].input[2] = "b2"
            model.graph.node.insert(0, helper.make_node("Identity", ["b1"], ["b2"]))
        wanted = run(model)
        run_in_integers(model)
        assert np.abs(run(model) - wanted).max() <= 1, change
