"""fp16 models on a processor: computed in float32, on the same path as fp32 models."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from framelift.export.graph.half import to_half
from framelift.runtime import Upscaler, execution
from framelift.runtime.backends.cpu.widen import widen
from framelift.runtime.backends.onnx_cpu import OnnxCpuSession
from framelift.runtime.models.file import load
from framelift.runtime.session.protocol import Frames


def test_an_fp16_model_gives_what_its_fp32_form_gives(
    tiny_models: ModuleType, tmp_path: Path
) -> None:
    model = tiny_models.pixel_shuffle_model()
    frames = np.random.default_rng(0).integers(0, 256, (2, 24, 40, 3), np.uint8)
    outputs = {}
    for name, proto in (("fp32", model), ("fp16", to_half(model))):
        spec, _ = load(tiny_models.save(proto, tmp_path / f"{name}.onnx"))
        session = OnnxCpuSession(spec, threads=1)
        outputs[name] = np.empty((2, 96, 160, 3), np.uint8)
        session.run(frames, outputs[name])
        assert session.describe()["pixel_shuffle"] == "host"
        assert session.describe().get("computed_in") == (None if name == "fp32" else "float32")
        session.close()
    difference = np.abs(outputs["fp32"].astype(int) - outputs["fp16"])
    assert difference.max() <= 1
    assert difference.mean() < 0.01


def test_frames_are_cut_by_what_float32_takes(
    tiny_models: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_models.pixel_shuffle_model()
    single, half = (
        tiny_models.save(proto, tmp_path / f"{name}.onnx")
        for name, proto in (("fp32", model), ("fp16", to_half(model)))
    )
    budget = load(single)[0].activation_bytes * 40 * 40
    assert load(half)[0].activation_bytes * 64 * 40 <= budget  # else whole frames would not tell
    monkeypatch.setattr(execution, "activation_budget", lambda _: budget)
    pixels: list[int] = []
    run = OnnxCpuSession.run

    def spied(self: OnnxCpuSession, frames: Frames, out: Frames) -> None:
        pixels.append(frames.shape[1] * frames.shape[2])
        run(self, frames, out)

    monkeypatch.setattr(OnnxCpuSession, "run", spied)
    with Upscaler.load(half, "onnx-cpu", threads=1) as upscale:
        upscale(np.zeros((64, 40, 3), np.uint8))
    assert max(pixels) <= 40 * 40


def test_nothing_is_left_in_half_precision() -> None:
    half = TensorProto.FLOAT16
    constant = numpy_helper.from_array(np.ones(1, np.float16), "one")
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["branch"], value=constant)],
        "then",
        [],
        [helper.make_tensor_value_info("branch", half, [1])],
    )
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["x"], ["cast"], to=half),
            helper.make_node("If", ["yes"], ["chosen"], then_branch=inner, else_branch=inner),
            helper.make_node("Mul", ["cast", "weight"], ["scaled"]),
            helper.make_node("Add", ["scaled", "chosen"], ["y"]),
        ],
        "half",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [1])],
        [helper.make_tensor_value_info("y", half, [1])],
        [
            numpy_helper.from_array(np.full(1, 1.5, np.float16), "weight"),
            numpy_helper.from_array(np.array(True), "yes"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    widen(model.graph)
    onnx.checker.check_model(model, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    kinds = {value.type.tensor_type.elem_type for value in (*inferred.value_info, *inferred.output)}
    assert kinds == {TensorProto.FLOAT}
    (result,) = ReferenceEvaluator(model).run(None, {"x": np.array([2], np.uint8)})
    value = np.asarray(result)
    assert value.dtype == np.float32
    assert value == 4.0
