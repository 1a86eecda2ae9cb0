"""The Triton repository; its configs are read with Triton's own published schema."""

from __future__ import annotations

import importlib.util
import json
import os
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx
import pytest
from google.protobuf import text_format

from framelift.cli.main import main
from framelift.common.errors import BackendError, ConfigError, ModelError, OutputError
from framelift.export.triton.config import onnx_config, tensorrt_config
from framelift.export.triton.repository import write_repository
from framelift.runtime.gpu.facts import DeviceFacts
from framelift.runtime.gpu.shapes import parse_profile
from framelift.runtime.models.file import read_spec
from framelift.runtime.tensorrt.cache.key import BuilderOptions, EngineKey
from framelift.runtime.tensorrt.cache.precision import PrecisionReport
from framelift.runtime.tensorrt.cache.sidecar import sidecar_beside
from framelift.runtime.tensorrt.provide import Built, describe
from framelift.runtime.tensorrt.verify import EngineFacts


@pytest.fixture(scope="module")
def schema() -> ModuleType:
    """Triton's model_config.proto as its client package ships it; gRPC itself is not needed."""
    package = importlib.util.find_spec("tritonclient")
    if package is None or not package.submodule_search_locations:
        pytest.skip('tritonclient is not installed: pip install "framelift[dev]"')
    path = Path(package.submodule_search_locations[0]) / "grpc" / "model_config_pb2.py"
    spec = importlib.util.spec_from_file_location("triton_model_config_pb2", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parse(schema: ModuleType, text: str) -> Any:  # noqa: ANN401 - a generated message
    """The config, and what Triton itself checks of it beyond the schema."""
    config = text_format.Parse(text, schema.ModelConfig())
    assert not config.dynamic_batching.ByteSize() or config.max_batch_size > 1
    for tensor in (*config.input, *config.output):
        assert all(dim == -1 or dim > 0 for dim in tensor.dims)
    for warm_up in config.model_warmup:
        assert warm_up.batch_size <= config.max_batch_size
        for name, data in warm_up.inputs.items():
            (declared,) = (tensor for tensor in config.input if tensor.name == name)
            assert data.data_type == declared.data_type
            assert len(data.dims) == len(declared.dims)
            assert all(b in (-1, a) for a, b in zip(data.dims, declared.dims, strict=True))
            assert all(dim > 0 for dim in data.dims)
    return config


def engine_for(model: Path, target: Path, shapes: str = "9x7") -> Path:
    """An engine file as `framelift engine build` writes it, with bytes that no TensorRT made."""
    spec = read_spec(model)
    facts = DeviceFacts("NVIDIA L40", "8.9", "590")
    key = EngineKey(spec.sha256, "11.4.0", facts, parse_profile(shapes), BuilderOptions())
    built = Built(b"plan", b"", EngineFacts(PrecisionReport(1, 1, 1, ()), 1, 0))
    with sidecar_beside(target, describe(spec, key, built, 1.0)):
        target.write_bytes(built.plan)
    return target


def test_repository_of_a_model_of_any_size(
    schema: ModuleType, tmp_path: Path, shuffle_model_path: Path
) -> None:
    repository = tmp_path / "models"
    (version,) = write_repository(shuffle_model_path, repository)
    assert version == repository / "tiny-shuffle_onnx" / "1"
    assert (version / "model.onnx").read_bytes() == shuffle_model_path.read_bytes()
    config = parse(schema, (version.parent / "config.pbtxt").read_text())
    assert (config.name, config.backend) == ("tiny-shuffle_onnx", "onnxruntime")
    assert config.max_batch_size == 8
    assert [tensor.name for tensor in (*config.input, *config.output)] == ["frames", "upscaled"]
    assert config.input[0].data_type == schema.TYPE_UINT8
    assert list(config.input[0].dims) == list(config.output[0].dims) == [-1, -1, 3]
    assert config.dynamic_batching.max_queue_delay_microseconds == 2000
    assert [warm.batch_size for warm in config.model_warmup] == [1, 8]
    assert list(config.model_warmup[0].inputs["frames"].dims) == [270, 480, 3]
    assert config.instance_group[0].kind == schema.ModelInstanceGroup.KIND_AUTO
    assert config.parameters["framelift.scale"].string_value == "4"


def test_clients_are_told_what_a_style_takes(
    schema: ModuleType, tmp_path: Path, tiny_models: ModuleType
) -> None:
    model = tiny_models.set_metadata(
        tiny_models.nearest_model(1, "plain"),
        task="style",
        halo="1000000",
        size_multiple="4",
        minimum_side="8",
    )
    path = tiny_models.save(model, tmp_path / "plain.onnx")
    (version,) = write_repository(path, tmp_path / "models")
    config = parse(schema, (version.parent / "config.pbtxt").read_text())
    told = {name: value.string_value for name, value in config.parameters.items()}
    assert told["framelift.task"] == "style"
    assert told["framelift.minimum_side"] == "8"
    assert told["framelift.halo"] == "whole frame"
    assert list(config.model_warmup[0].inputs["frames"].dims) == [272, 480, 3]


def test_config_agrees_with_the_model_it_serves(
    schema: ModuleType, tmp_path: Path, tiny_models: ModuleType
) -> None:
    for index, shape in enumerate([("n", "h", "w"), (2, 48, 64), ("n", 48, "w"), (1, "h", "w")]):
        model = tiny_models.pixel_shuffle_model(frame_shape=shape, name=f"m{index}")
        path = tiny_models.save(model, tmp_path / f"m{index}.onnx")
        (version,) = write_repository(path, tmp_path / "models")
        config = parse(schema, (version.parent / "config.pbtxt").read_text())
        values = (*onnx.load(path).graph.input, *onnx.load(path).graph.output)
        for declared, value in zip((*config.input, *config.output), values, strict=True):
            dims = [dim.dim_value or -1 for dim in value.type.tensor_type.shape.dim]
            batch = [-1] if config.max_batch_size else []
            assert [*batch, *declared.dims] == dims


def test_fixed_batch_is_not_batched_again(
    schema: ModuleType, tmp_path: Path, tiny_models: ModuleType
) -> None:
    model = tiny_models.pixel_shuffle_model(frame_shape=(2, 48, 64))
    path = tiny_models.save(model, tmp_path / "m.onnx")
    (version,) = write_repository(path, tmp_path / "models")
    config = parse(schema, (version.parent / "config.pbtxt").read_text())
    assert config.max_batch_size == 0
    assert not config.HasField("dynamic_batching")
    assert list(config.model_warmup[0].inputs["frames"].dims) == [2, 48, 64, 3]


def test_size_multiple_is_kept_when_warming_up(
    schema: ModuleType, tmp_path: Path, tiny_models: ModuleType
) -> None:
    model = tiny_models.set_metadata(tiny_models.pixel_shuffle_model(), size_multiple="16")
    (version,) = write_repository(tiny_models.save(model, tmp_path / "m.onnx"), tmp_path / "r")
    config = parse(schema, (version.parent / "config.pbtxt").read_text())
    assert list(config.model_warmup[0].inputs["frames"].dims) == [272, 480, 3]


@pytest.mark.parametrize(
    ("shapes", "batch", "graph", "warm"),
    [
        ("270x480", 1, [270, 480, 3], [270, 480, 3]),
        ("1x90x160:2x270x480:4x540x960", 4, None, [270, 480, 3]),
        ("4x270x480", 0, [4, 270, 480, 3], [4, 270, 480, 3]),
    ],
)
def test_engine_variant(
    schema: ModuleType,
    tmp_path: Path,
    shuffle_model_path: Path,
    shapes: str,
    batch: int,
    graph: list[int] | None,
    warm: list[int],
) -> None:
    engine = engine_for(shuffle_model_path, tmp_path / "m.plan", shapes)
    versions = write_repository(shuffle_model_path, tmp_path / "models", engine)
    assert [version.parent.name for version in versions] == [
        "tiny-shuffle_onnx",
        "tiny-shuffle_tensorrt",
    ]
    assert (versions[1] / "model.plan").read_bytes() == b"plan"
    config = parse(schema, (versions[1].parent / "config.pbtxt").read_text())
    assert (config.backend, config.max_batch_size) == ("tensorrt", batch)
    graphs = config.optimization.cuda
    assert graphs.graphs == (graph is not None)
    assert [list(spec.input["frames"].dim) for spec in graphs.graph_spec] == (
        [graph] if graph else []
    )
    assert list(config.model_warmup[0].inputs["frames"].dims) == warm


def test_names_that_need_quotes(schema: ModuleType, shuffle_model_path: Path) -> None:
    spec = replace(read_spec(shuffle_model_path), name='a "b"\\c é', licence="l")
    config = parse(schema, onnx_config(spec))
    assert (config.max_batch_size, config.instance_group[0].count) == (8, 1)
    assert config.name == "a_b_c_onnx"
    text = tensorrt_config(spec, parse_profile("9x9:9x9:3x9x9"))
    assert parse(schema, text).max_batch_size == 3


def test_a_changed_model_is_a_new_version(
    tmp_path: Path, tiny_models: ModuleType, shuffle_model_path: Path
) -> None:
    repository = tmp_path / "models"
    write_repository(shuffle_model_path, repository)
    assert write_repository(shuffle_model_path, repository)[0].name == "1"
    path = tiny_models.save(tiny_models.pixel_shuffle_model(seed=1), tmp_path / "m.onnx")
    assert write_repository(path, repository)[0].name == "2"
    (repository / "tiny-shuffle_onnx" / "9").mkdir()
    assert write_repository(path, repository)[0].name == "10"
    held = sorted(entry.name for entry in (repository / "tiny-shuffle_onnx").iterdir())
    assert held == ["1", "10", "2", "9", "config.pbtxt"]


def test_a_model_of_another_scale_is_refused(
    tmp_path: Path, tiny_models: ModuleType, shuffle_model_path: Path
) -> None:
    repository = tmp_path / "models"
    write_repository(shuffle_model_path, repository)
    path = tiny_models.save(tiny_models.pixel_shuffle_model(scale=2), tmp_path / "m.onnx")
    with pytest.raises(OutputError, match="already serves a model of another kind: remove it"):
        write_repository(path, repository)
    assert not (repository / "tiny-shuffle_onnx" / "2").exists()


def test_engine_of_another_model_is_refused(
    tmp_path: Path, shuffle_model_path: Path, nearest_model_path: Path
) -> None:
    engine = engine_for(nearest_model_path, tmp_path / "m.plan")
    with pytest.raises(ConfigError, match=r"was built from tiny-nearest .*build it again"):
        write_repository(shuffle_model_path, tmp_path / "models", engine)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [("changed", "or is damaged"), ("no sidecar", "needs the file"), ("gone", "cannot be read")],
)
def test_damaged_engine_is_refused(
    tmp_path: Path, shuffle_model_path: Path, damage: str, message: str
) -> None:
    engine = engine_for(shuffle_model_path, tmp_path / "m.plan")
    if damage == "changed":
        engine.write_bytes(b"pl?n")
    elif damage == "gone":
        engine.unlink()
    else:
        (tmp_path / "m.plan.json").unlink()
    with pytest.raises(BackendError, match=message):
        write_repository(shuffle_model_path, tmp_path / "models", engine)


def test_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        write_repository(tmp_path / "m.onnx", tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_full_disk_leaves_nothing(
    tmp_path: Path, shuffle_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="the disk is full"):
        write_repository(shuffle_model_path, tmp_path / "models")
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("again", [False, True])
def test_an_engine_that_cannot_be_added_takes_the_onnx_variant_back(
    tmp_path: Path,
    shuffle_model_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    again: bool,
) -> None:
    """Of two variants both are there or none, and an earlier version is served as before."""
    repository = tmp_path / "models"
    if again:
        (first,) = write_repository(shuffle_model_path, repository)
        config = (first.parent / "config.pbtxt").read_bytes()
    changed = onnx.load(shuffle_model_path)
    changed.doc_string = "changed"
    model = tmp_path / shuffle_model_path.name
    model.write_bytes(changed.SerializeToString())
    engine = engine_for(model, tmp_path / "m.plan")
    rename = os.rename

    def refuse_the_engine(source: Path, target: Path) -> None:
        if target.parent.name.endswith("_tensorrt"):
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr("os.rename", refuse_the_engine)
    with pytest.raises(OutputError, match="the disk is full"):
        write_repository(model, repository, engine, max_batch=4)  # another config
    assert repository.exists() == again
    if again:
        assert [path.name for path in repository.iterdir()] == ["tiny-shuffle_onnx"]
        assert sorted(path.name for path in first.parent.iterdir()) == ["1", "config.pbtxt"]
        assert (first.parent / "config.pbtxt").read_bytes() == config


def test_repository_is_a_file(tmp_path: Path, shuffle_model_path: Path) -> None:
    (tmp_path / "models").write_text("")
    with pytest.raises(OutputError, match="models: cannot be written"):
        write_repository(shuffle_model_path, tmp_path / "models")


Capture = pytest.CaptureFixture[str]


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in ("export", *arguments)])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_command_line(tmp_path: Path, shuffle_model_path: Path, capsys: Capture) -> None:
    engine = engine_for(shuffle_model_path, tmp_path / "m.plan")
    repository = tmp_path / "models"
    assert run(shuffle_model_path, "--triton", repository, "--engine", engine) == 0
    assert capsys.readouterr().out.split() == [
        str(repository / "tiny-shuffle_onnx" / "1"),
        str(repository / "tiny-shuffle_tensorrt" / "1"),
    ]
    document = json.loads((tmp_path / "m.plan.json").read_text())
    assert document["model"] == "tiny-shuffle"


def test_engine_without_repository(tmp_path: Path, capsys: Capture) -> None:
    assert run(tmp_path / "c.safetensors", "--engine", "m.plan") == 1
    assert "--engine is for --triton" in capsys.readouterr().err


def test_what_cannot_be_served_is_refused_before_the_export(
    tmp_path: Path,
    shuffle_model_path: Path,
    nearest_model_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checkpoint = tmp_path / "tiny-shuffle.safetensors"  # not there, and not looked for
    (tmp_path / "file").write_text("")
    assert run(checkpoint, "--triton", tmp_path / "file" / "models") == 1
    assert "file is a file, not a folder" in capsys.readouterr().err
    for engine, message in (
        (tmp_path / "gone.plan", "cannot be read"),
        (engine_for(nearest_model_path, tmp_path / "other.plan"), "tiny-nearest in fp32, not from"),
    ):
        assert run(checkpoint, "--triton", tmp_path / "models", "--engine", engine) == 1
        assert message in capsys.readouterr().err
    fitting = engine_for(shuffle_model_path, tmp_path / "m.plan")
    assert run(checkpoint, "--triton", tmp_path / "models", "--engine", fitting) == 1
    assert "tiny-shuffle.safetensors: no such file" in capsys.readouterr().err
    monkeypatch.setattr(
        "os.access", lambda path, mode: path.exists() and (mode == os.F_OK or path != tmp_path)
    )
    assert run(checkpoint, "--triton", tmp_path / "models") == 1
    assert f"({tmp_path} is not writable)" in capsys.readouterr().err


def test_export_options_of_an_exported_model_are_refused(
    tmp_path: Path, shuffle_model_path: Path, capsys: Capture
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["export", str(shuffle_model_path), "--triton", str(tmp_path / "repo"), "-y"])
    assert ended.value.code == 1
    assert "--overwrite is for the export of a checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "repo").exists()


def test_a_model_of_several_frames_gives_one(
    tmp_path: Path, tiny_models: ModuleType, schema: ModuleType
) -> None:
    path = tiny_models.save(tiny_models.window_model(), tmp_path / "window.onnx")
    config = parse(schema, onnx_config(read_spec(path)))
    assert list(config.input[0].dims) == [5, -1, -1, 3]
    assert list(config.output[0].dims) == [1, -1, -1, 3]
