"""framelift check: what a model is, what stands against each target, and the exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from framelift.cli.main import framelift
from framelift.common.errors import ConfigError, ModelError
from framelift.export.check.checker import WEIGHTS, CheckReport, check_model
from framelift.export.check.targets import facts

Build = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Build:
    """Writes a model of the given nodes: float `x` 1×3×h×w in, `y` out."""

    def build(
        *nodes: onnx.NodeProto,
        opset: int = 20,
        ir_version: int = 10,
        kind: int = TensorProto.FLOAT,
        rank: int = 4,
        weights: tuple[onnx.TensorProto, ...] = (),
        domains: tuple[str, ...] = (),
    ) -> Path:
        graph = helper.make_graph(
            list(nodes),
            "g",
            [helper.make_tensor_value_info("x", kind, [1, 3, "h", "w"])],
            [helper.make_tensor_value_info("y", kind, [None] * rank)],
            list(weights),
        )
        imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=ir_version)
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return build


def problems(report: CheckReport, target: str) -> list[str]:
    return [f"{f.where}: {f.problem}" for f in report.findings if target in f.targets]


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


def test_types_that_tensorrt_has_not_are_named(save: Build) -> None:
    identity = helper.make_node("Identity", ["x"], ["y"])
    for kind, word in ((TensorProto.STRING, "string"), (TensorProto.UINT16, "uint16")):
        report = check_model(save(identity, kind=kind))
        assert report.runs_on("onnxruntime")
        assert f"Identity 'y': reads or writes {word}, which TensorRT has not" in problems(
            report, "tensorrt10"
        )


def test_weights_that_are_not_finite_are_named(save: Build) -> None:
    add = helper.make_node("Add", ["x", "w"], ["y"])
    for number, verdict in ((np.nan, False), (-np.inf, True)):
        weight = numpy_helper.from_array(np.array([number], np.float32), "w")
        report = check_model(save(add, weights=(weight,)))
        assert set(report.verdicts().values()) == {verdict}
        assert "tensor w: contains" in problems(report, "onnxruntime")[0]
        # No tool looks at weights: none is named for a verdict that is not its own.
        assert [judge == WEIGHTS for judge in report.judges.values()] == [not verdict] * 4


def test_a_tool_that_refuses_a_model_is_named_whatever_its_weights_are(save: Build) -> None:
    weight = numpy_helper.from_array(np.array([np.nan], np.float32), "w")
    report = check_model(save(helper.make_node("NoSuch", ["x", "w"], ["y"]), weights=(weight,)))
    assert report.judges["onnxruntime"].startswith("ONNX Runtime ")


def test_what_onnx_runtime_loads_it_can_run_whatever_onnx_says(save: Build) -> None:
    path = save(helper.make_node("Relu", ["x"], ["y"]))
    model = onnx.load(path)
    model.graph.name = ""  # the checker wants one
    path.write_bytes(model.SerializeToString())
    report = check_model(path)
    assert report.runs_on("onnxruntime")
    assert "is not valid ONNX" in problems(report, "onnxruntime")[0]
    assert not report.runs_on("tensorrt11")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("tensorrt", r"unknown target 'tensorrt' \(did you mean tensorrt11\?\): use one of onnxr"),
        ("onnxruntime==1.2", "versions before 1.19 are not known"),
        ("onnxruntime==new", "'new' is not a version such as 1.24"),
        ("tensorrt11==99", "99 is of TensorRT 99, another target"),
    ],
)
def test_unknown_targets_are_named_as_such(save: Build, target: str, message: str) -> None:
    path = save(helper.make_node("Relu", ["x"], ["y"]))
    with pytest.raises(ConfigError, match=message):
        check_model(path, [target])


def test_versions_newer_than_what_is_known_are_a_risk(save: Build) -> None:
    report = check_model(save(helper.make_node("Relu", ["x"], ["y"])), ["onnxruntime==9.1"])
    assert report.runs_on("onnxruntime==9.1")
    newest = facts()["targets"]["onnxruntime"]["releases"][-1]["since"]
    assert (
        f"is newer than Framelift knows, up to {newest}" in problems(report, "onnxruntime==9.1")[0]
    )


def test_a_framelift_model_runs_everywhere(tmp_path: Path, tiny_models: ModuleType) -> None:
    path = tiny_models.save(tiny_models.pixel_shuffle_model(), tmp_path / "m.onnx")
    report = check_model(path)
    assert report.findings == ()
    assert report.is_framelift
    assert set(report.verdicts().values()) == {True}
    assert report.inputs == {"frames": "uint8 n×h×w×3"}
    assert (report.opsets, report.ir_version) == ({"ai.onnx": 20}, 10)
    assert report.size_bytes == path.stat().st_size


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
    table = facts()["tensorrt"]
    listed = [*table["supported"], *table["unsupported"]]
    assert len(set(listed)) == len(listed)
    assert all(onnx.defs.has(name) for name in listed)
    assert set(table["restricted"]) <= set(table["supported"])


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


def test_shapes_that_do_not_fit_name_the_node(save: Build) -> None:
    weight = numpy_helper.from_array(np.zeros((1, 5, 1, 1), np.float32), "w")
    report = check_model(save(helper.make_node("Add", ["x", "w"], ["y"], "sum"), weights=(weight,)))
    assert not any(report.verdicts().values())
    assert "is not valid ONNX" in problems(report, "tensorrt10")[0]


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/passwd", "link.bin", "gone.bin"])
def test_external_data_must_lie_beside_the_model(
    tmp_path: Path, save: Build, location: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "data").write_bytes(bytes(12))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.bin").symlink_to(outside / "data")
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3])
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    path = save(helper.make_node("Add", ["x", "w"], ["y"]), weights=(tensor,))
    path = path.rename(folder / "model.onnx")
    report = check_model(path)
    assert not any(report.verdicts().values())
    assert problems(report, "onnxruntime")[0].startswith("tensor w: its data")


def test_external_data_of_constants_inside_nodes_must_lie_beside_the_model(save: Build) -> None:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3])
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../weights.bin"
    nodes = (
        helper.make_node("Constant", [], ["w"], value=tensor),
        helper.make_node("Add", ["x", "w"], ["y"]),
    )
    report = check_model(save(*nodes))
    assert not any(report.verdicts().values())
    assert "tensor w: its data lies at" in problems(report, "onnxruntime")[0]


def test_nodes_of_branches_are_checked(save: Build) -> None:
    def branch(operator: str, name: str) -> onnx.GraphProto:
        node = helper.make_node(operator, ["x"], [name], f"in_{name}")
        return helper.make_graph(
            [node], name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)]
        )

    nodes = (
        helper.make_node("Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True))),
        helper.make_node(
            "If", ["yes"], ["y"], then_branch=branch("Det", "a"), else_branch=branch("Relu", "b")
        ),
    )
    report = check_model(save(*nodes), ("tensorrt10",))
    assert any(line.startswith("Det 'in_a': TensorRT's") for line in problems(report, "tensorrt10"))


def test_shipped_models_are_checked_by_name() -> None:
    result = CliRunner().invoke(framelift, ["check", "realtime-nano-x2"])
    assert (result.exit_code, "framelift model, opset ai.onnx" in result.stdout) == (0, True)
    with pytest.raises(ModelError, match=r"did you mean realtime-nano-x2, "):
        CliRunner().invoke(
            framelift, ["check", "realtime-nan-x2"], catch_exceptions=False, standalone_mode=False
        )


def test_the_command_exits_1_when_a_target_cannot_run_it(save: Build) -> None:
    path = save(helper.make_node("Det", ["x"], ["y"], "det"), rank=2)
    result = CliRunner().invoke(framelift, ["check", str(path)], standalone_mode=False)
    assert result.return_value == 1
    assert "error: tensorrt10, tensorrt11: Det 'det'" in result.output
    assert "tensorrt10: CANNOT run it" in result.output
    only = ["check", str(path), "--target", "onnxruntime", "--json"]
    result = CliRunner().invoke(framelift, only, standalone_mode=False)
    assert result.return_value == 0
    assert json.loads(result.output)["runs_on"] == {"onnxruntime": True}


@pytest.mark.parametrize("data", [b"", b"not onnx at all", b"\x08\x0a"])
def test_what_is_no_onnx_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelError, match="is not an ONNX file, or is damaged"):
        check_model(path)
    with pytest.raises(ModelError, match="no such file"):
        check_model(tmp_path / "gone.onnx")


def test_mutated_models_are_checked_or_refused_in_one_line(
    tmp_path: Path, tiny_models: ModuleType
) -> None:
    rng = np.random.default_rng(0)
    path, refused = tmp_path / "mutated.onnx", []
    for whole in (
        tiny_models.nearest_model().SerializeToString(),
        tiny_models.pixel_shuffle_model(layers=1).SerializeToString(),
    ):
        for _ in range(60):
            data = bytearray(whole)
            for place in rng.integers(0, len(data), rng.integers(1, 5)):
                data[place] ^= 1 << rng.integers(8)
            path.write_bytes(data)
            try:
                check_model(path, ["tensorrt11"])
            except ModelError as error:
                refused.append(str(error))
    assert 3 < len(refused) < 110
    assert not any("\n" in line or len(line) > 500 for line in refused)


def test_damage_that_protobuf_reads_is_refused(save: Build) -> None:
    path = save(helper.make_node("Relu", ["x"], ["y"]))
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.elem_type = 59
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="is not an ONNX file, or is damaged"):
        check_model(path)
    path.write_bytes(path.read_bytes().replace(b"Relu", b"Re\xffu"))
    with pytest.raises(ModelError, match="is not an ONNX file, or is damaged"):
        check_model(path)
