"""framelift check: what a model is, what stands against each target, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from framelift.cli.main import framelift
from framelift.common.errors import ConfigError, ModelError
from framelift.export.check.checker import WEIGHTS, check_model
from framelift.export.check.facts import facts

from ...support.checking import Build, problems


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
    newest = facts().targets["onnxruntime"].releases[-1].since
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
    problem = "is not an ONNX file or is damaged" if data else r"is empty \(0 bytes\)"
    with pytest.raises(ModelError, match=problem):
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
    with pytest.raises(ModelError, match="is not an ONNX file or is damaged"):
        check_model(path)
    path.write_bytes(path.read_bytes().replace(b"Relu", b"Re\xffu"))
    with pytest.raises(ModelError, match="is not an ONNX file or is damaged"):
        check_model(path)
