"""Which operators and types each target can run, in which versions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from framelift.common.errors import ModelError
from framelift.export.check.checker import check_model
from framelift.export.check.facts import facts

from ...support.checking import Build, problems


def test_withdrawn_operators_are_a_risk_where_they_run(save: Build) -> None:
    """GroupNormalization of opset 18 runs in ONNX Runtime, Upsample of opset 10 does not."""
    weights = tuple(
        numpy_helper.from_array(np.ones(3, np.float32), name) for name in ("scale", "bias")
    )
    norm = helper.make_node("GroupNormalization", ["x", "scale", "bias"], ["y"], num_groups=3)
    report = check_model(save(norm, opset=18, weights=weights))
    assert all(report.verdicts().values())
    assert problems(report, "onnxruntime") == [
        "GroupNormalization 'y': ONNX withdrew the GroupNormalization of opset 18; "
        "it still runs, but not everywhere"
    ]
    factors = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "factors")
    upsample = helper.make_node("Upsample", ["x", "factors"], ["y"], mode="nearest")
    report = check_model(save(upsample, opset=13, weights=(factors,)))
    assert not report.runs_on("onnxruntime")
    assert (
        "ONNX withdrew the Upsample of opset 13; it is not run"
        in problems(report, "onnxruntime")[0]
    )


def with_functions(save: Build, *functions: onnx.FunctionProto) -> Path:
    """A model that calls the last of these functions of domain `own`."""
    path = save(helper.make_node(functions[-1].name, ["x"], ["y"], domain="own"), domains=("own",))
    model = onnx.load(path)
    model.functions.extend(functions)
    path.write_bytes(model.SerializeToString())
    return path


def function(name: str, *nodes: onnx.NodeProto) -> onnx.FunctionProto:
    """A function of the model, from `a` to `b`."""
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["a"], ["b"], list(nodes), imports)


def call(name: str, source: str, target: str) -> onnx.NodeProto:
    return helper.make_node(name, [source], [target], domain="own")


def test_functions_of_the_model_are_looked_into(save: Build) -> None:
    split = helper.make_node("SplitToSequence", ["a"], ["parts"], axis=1)
    joined = helper.make_node("ConcatFromSequence", ["parts"], ["b"], axis=1)
    inner = function("Inner", split, joined)
    report = check_model(with_functions(save, inner, function("Outer", call("Inner", "a", "b"))))
    assert report.nodes == 2
    assert report.runs_on("onnxruntime")
    assert not report.runs_on("tensorrt11")
    assert any("SplitToSequence" in problem for problem in problems(report, "tensorrt11"))


def test_functions_without_end_are_refused(save: Build) -> None:
    with pytest.raises(ModelError, match="its function 'F' calls itself"):
        check_model(with_functions(save, function("F", call("F", "a", "b"))))
    doubling = [function("F0", helper.make_node("Relu", ["a"], ["b"]))]
    for k in range(1, 40):
        calls = call(f"F{k - 1}", "a", "c"), call(f"F{k - 1}", "c", "b")
        doubling.append(function(f"F{k}", *calls))
    with pytest.raises(ModelError, match="its functions unfold to more than 200,000 nodes"):
        check_model(with_functions(save, *doubling))


def test_versions_are_held_against_each_target(save: Build) -> None:
    path = save(helper.make_node("Relu", ["x"], ["y"]), opset=25, ir_version=13)
    report = check_model(
        path, ("onnxruntime==1.23", "onnxruntime", "tensorrt10", "tensorrt11==11.5")
    )
    assert [report.runs_on(target) for target in report.targets] == [False, True, False, True]
    assert problems(report, "onnxruntime==1.23") == [
        "model: opset 25: ONNX Runtime 1.23 takes 7 to 23",
        "model: IR version 13: ONNX Runtime 1.23 reads up to 11",
    ]


@pytest.mark.parametrize(
    ("mode", "antialias", "transform", "problem"),
    [
        ("linear", 1, "half_pixel", "antialiasing is not taken"),
        ("linear", 0, "half_pixel_symmetric", "coordinate transform 'half_pixel_symmetric' is"),
    ],
)
def test_resize_modes_of_tensorrt(
    save: Build, mode: str, antialias: int, transform: str, problem: str
) -> None:
    scales = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")
    node = helper.make_node(
        "Resize",
        ["x", "", "scales"],
        ["y"],
        "up",
        mode=mode,
        antialias=antialias,
        coordinate_transformation_mode=transform,
    )
    report = check_model(save(node, weights=(scales,)))
    for target in ("tensorrt10", "tensorrt11"):
        (found,) = problems(report, target)
        assert found.startswith(f"Resize 'up': {problem}")
        assert not report.runs_on(target)
    assert report.runs_on("onnxruntime")


def test_resize_sizes_from_shapes_are_a_risk(save: Build) -> None:
    nodes = (
        helper.make_node("Shape", ["x"], ["sizes"]),
        helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], "up", mode="nearest"),
    )
    report = check_model(save(*nodes))
    assert report.runs_on("tensorrt11")
    assert "is computed from shapes" in problems(report, "tensorrt11")[0]


def test_old_releases_move_no_integers(save: Build) -> None:
    """Opset and IR version suit 1.19 and 1.20, whose wheels refuse the model."""
    node = helper.make_node("DepthToSpace", ["x"], ["y"], "shuffle", blocksize=1)
    path = save(node, kind=TensorProto.UINT8)
    for release in ("onnxruntime==1.19", "onnxruntime==1.20"):
        report = check_model(path, [release])
        assert not report.runs_on(release)
        (problem,) = problems(report, release)
        assert "'shuffle': ONNX Runtime has no DepthToSpace of integers before 1.21" in problem
        assert check_model(save(node), [release]).runs_on(release)
        save(node, kind=TensorProto.UINT8)
    assert check_model(path, ["onnxruntime==1.21"]).runs_on("onnxruntime==1.21")


def test_uint8_inside_is_refused_for_tensorrt(save: Build) -> None:
    node = helper.make_node("Transpose", ["x"], ["y"], "turn", perm=[0, 2, 3, 1])
    report = check_model(save(node, kind=TensorProto.UINT8))
    assert "Transpose 'turn': computes with uint8" in problems(report, "tensorrt10")[0]
    assert report.runs_on("onnxruntime")


@pytest.mark.parametrize(("zero", "problem"), [(np.uint8(0), "uint8"), (np.int8(3), "zero point")])
def test_quantisation_of_tensorrt(save: Build, zero: np.generic, problem: str) -> None:
    weights = (
        numpy_helper.from_array(np.array(0.1, np.float32), "step"),
        numpy_helper.from_array(np.array(zero), "zero"),
    )
    nodes = (
        helper.make_node("QuantizeLinear", ["x", "step", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "step", "zero"], ["y"]),
    )
    report = check_model(save(*nodes, weights=weights))
    found = problems(report, "tensorrt11")
    assert len(found) == 2
    assert all(problem in line for line in found)
    assert report.runs_on("onnxruntime")


def test_norms_in_half_precision_are_a_risk(save: Build) -> None:
    ones = numpy_helper.from_array(np.ones(3, np.float16), "ones")
    node = helper.make_node("InstanceNormalization", ["x", "ones", "ones"], ["y"], "norm")
    report = check_model(save(node, kind=TensorProto.FLOAT16, weights=(ones,)), ("tensorrt10",))
    assert report.runs_on("tensorrt10")
    assert "sums over the frame in fp16" in problems(report, "tensorrt10")[0]


def test_unsupported_and_data_dependent_operators_are_named(save: Build) -> None:
    nodes = (
        helper.make_node("NonZero", ["x"], ["where"], "find"),
        helper.make_node("Det", ["x"], ["y"], "det"),
    )
    found = problems(check_model(save(*nodes, rank=2)), "tensorrt10")
    assert any(line.startswith("Det 'det': TensorRT's parser") for line in found)
    assert any("NonZero 'find': the shape of its output" in line for line in found)
    assert any("computes with int64" in line for line in found)


@pytest.mark.parametrize(
    ("operator", "inputs", "problem"),
    [
        ("Swish", "x", "Swish 'new': is not known to TensorRT 1"),
        ("Attention", "xxx", "Attention 'new': TensorRT's parser takes it with 4-D inputs without"),
        ("RMSNormalization", "xw", ""),  # of opset 23, and in TensorRT's table
    ],
)
def test_operators_newer_than_tensorrt_s_table_are_a_risk(
    save: Build, operator: str, inputs: str, problem: str
) -> None:
    weight = numpy_helper.from_array(np.ones(1, np.float32), "w")
    node = helper.make_node(operator, list(inputs), ["y"], "new")
    report = check_model(
        save(node, opset=24, weights=(weight,) * ("w" in inputs)), ("tensorrt10", "tensorrt11")
    )
    assert all(report.verdicts().values())
    for target in report.targets:
        found = problems(report, target)
        assert len(found) == bool(problem)
        assert all(line.startswith(problem) for line in found)


def test_every_operator_of_tensorrt_s_table_exists_and_is_listed_once() -> None:
    table = facts().tensorrt
    listed = [*table.supported, *table.unsupported]
    assert len(set(listed)) == len(listed)
    assert all(onnx.defs.has(name) for name in listed)
    assert set(table.restricted) <= set(table.supported)


def test_a_dynamic_pixel_unshuffle_is_a_risk(save: Build) -> None:
    nodes = (
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Concat", ["s", "tail"], ["six"], axis=0),
        helper.make_node("Reshape", ["x", "six"], ["r"]),
        helper.make_node("Transpose", ["r"], ["y"], "unshuffle", perm=[0, 1, 3, 5, 2, 4]),
    )
    tail = numpy_helper.from_array(np.array([1, 1], np.int64), "tail")
    report = check_model(save(*nodes, weights=(tail,), rank=6), ("tensorrt10",))
    assert any("a pixel unshuffle" in line for line in problems(report, "tensorrt10"))


def test_unknown_operators_and_domains(save: Build) -> None:
    report = check_model(save(helper.make_node("Rleu", ["x"], ["y"], "typo")))
    assert not any(report.verdicts().values())
    assert problems(report, "tensorrt10")[0] == "Rleu 'typo': ONNX has no Rleu at opset 20"
    node = helper.make_node("FusedConv", ["x"], ["y"], "fused", domain="com.microsoft")
    report = check_model(save(node, domains=("com.microsoft",)), ("tensorrt10",))
    assert "com.microsoft.FusedConv is not a standard" in problems(report, "tensorrt10")[0]
