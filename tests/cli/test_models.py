from __future__ import annotations

import json
import os
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from framelift.benchmarks.quality.record import record_quality
from framelift.benchmarks.quality.scores import measure_quality
from framelift.cli.bench.group import bench
from framelift.cli.models import models
from framelift.common.errors import ConfigError, ModelError, OutputError
from framelift.runtime.models import zoo
from framelift.runtime.models.digest import seal
from framelift.runtime.models.file import load, read_spec
from framelift.runtime.models.scores import recorded_scores


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_models: ModuleType) -> Path:
    tiny_models.save(tiny_models.pixel_shuffle_model(), tmp_path / "small-x4.onnx")
    tiny_models.save(tiny_models.nearest_model(2), tmp_path / "plain-x2.onnx")
    monkeypatch.setattr(zoo, "MODELS", tmp_path)
    return tmp_path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A set of two images, large enough to be scored."""
    folder = tmp_path / "Set2"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(2):
        cv2.imwrite(str(folder / f"{index}.png"), rng.integers(0, 256, (48, 40, 3), np.uint8))
    return folder


@pytest.mark.usefixtures("shipped")
def test_table() -> None:
    result = CliRunner().invoke(models, catch_exceptions=False)
    header, plain, small = (line.split() for line in result.output.splitlines())
    assert header == ["name", "task", "parameters", "GMAC", "size", "precision", "licence"]
    assert plain[:2] == ["plain-x2", "×2"]
    # 480×270 times the weights of 3×3 convolutions 3→8→48 and of a 1×1 convolution 3→48
    macs = 480 * 270 * (9 * 3 * 8 + 9 * 8 * 48 + 3 * 48)
    assert small[:4] == ["small-x4", "×4", "3,872", f"{macs / 1e9:.1f}"]
    assert small[-2:] == ["fp32", "Apache-2.0"]


def test_json(shipped: Path) -> None:
    result = CliRunner().invoke(models, ["--json"], catch_exceptions=False)
    plain, small = json.loads(result.output)
    assert plain["name"] == "plain-x2"
    assert small["path"] == str(shipped / "small-x4.onnx")
    assert (small["scale"], small["halo"], small["parameters"]) == (4, 2, 3872)
    assert small["scores"] == {}


def test_what_is_taken_when_no_model_is_named(shipped: Path, tiny_models: ModuleType) -> None:
    tiny_models.save(tiny_models.nearest_model(4), shipped / "realtime-small-x4.onnx")
    lines = CliRunner().invoke(models, catch_exceptions=False).output.splitlines()
    assert lines[0].endswith("default for")
    assert [line.split("  ")[-1] for line in lines if "images" in line] == ["images, footage"]


@pytest.mark.usefixtures("shipped")
def test_measured_times() -> None:
    result = CliRunner().invoke(models, ["--json", "--measure"], catch_exceptions=False)
    for entry in json.loads(result.output):
        assert entry["measured"]["ms"] > 0
        assert entry["measured"]["backend"] == "onnx-cpu"


def test_a_backend_without_a_measurement() -> None:
    result = CliRunner().invoke(models, ["--threads", "2"])
    assert result.exit_code == 2
    assert "--measure" in result.output


def test_scores_that_were_recorded_are_listed(shipped: Path, photos: Path) -> None:
    path = shipped / "small-x4.onnx"
    before = read_spec(path)
    command = ["quality", str(path), "--hr", str(photos), "--record", "--json", "-"]
    report = CliRunner().invoke(bench, command, catch_exceptions=False)
    found = json.loads(report.stdout)["results"]["mean"]["model"]

    plain, small = json.loads(CliRunner().invoke(models, ["--json"]).output)
    scores = small["scores"]["Set2"]
    assert plain["scores"] == {}
    assert (scores["images"], scores["psnr_db"], scores["ssim"]) == (2, *found.values())
    header, _, row = CliRunner().invoke(models).output.splitlines()
    assert "Set2 dB / SSIM" in header
    assert f"{found['psnr_db']:.2f} / {found['ssim']:.4f}" in row
    after = read_spec(path)
    assert after.metadata == {**before.metadata, "scores": after.metadata["scores"]}


def test_scores_of_another_network_are_not_listed(
    shipped: Path, photos: Path, tiny_models: ModuleType
) -> None:
    path = shipped / "small-x4.onnx"
    CliRunner().invoke(bench, ["quality", str(path), "--hr", str(photos), "--record"])
    scored = read_spec(path).metadata["scores"]
    other = tiny_models.pixel_shuffle_model(seed=1)
    other.metadata_props.add(key="framelift.scores", value=scored)
    tiny_models.save(other, path)
    assert recorded_scores(*load(path)) == {}


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"name": "other", "licence": "MIT"}, True),
        ({"halo": "9"}, False),  # tiles that overlap by another width
        ({"precision": "int8"}, False),
    ],
)
def test_scores_stay_with_what_the_picture_depends_on(
    shipped: Path, photos: Path, tiny_models: ModuleType, changes: dict[str, str], kept: bool
) -> None:
    path = shipped / "small-x4.onnx"
    record_quality(path, photos, measure_quality(path, photos), None)
    tiny_models.save(tiny_models.set_metadata(load(path)[1], **changes), path)
    assert bool(recorded_scores(*load(path))) is kept


def test_scores_of_another_opset_are_not_listed(
    shipped: Path, photos: Path, tiny_models: ModuleType
) -> None:
    """The graph is the same, but its operators may not mean the same."""
    path = shipped / "small-x4.onnx"
    record_quality(path, photos, measure_quality(path, photos), None)
    model = load(path)[1]
    model.opset_import[0].version -= 1
    tiny_models.save(model, path)
    assert recorded_scores(*load(path)) == {}


def test_recording_keeps_the_digest_of_the_export(
    shipped: Path, photos: Path, tiny_models: ModuleType
) -> None:
    path = shipped / "small-x4.onnx"
    model = tiny_models.pixel_shuffle_model()
    seal(model)
    tiny_models.save(model, path)
    record_quality(path, photos, measure_quality(path, photos), None)
    metadata = read_spec(path).metadata
    assert json.loads(metadata["scores"])["graph_sha256"] == metadata["graph_sha256"]
    assert "Set2" in recorded_scores(*load(path))  # and the file is still taken for sound


def test_recording_keeps_a_link_and_the_mode_of_the_file(shipped: Path, photos: Path) -> None:
    path, link = shipped / "small-x4.onnx", shipped / "link.onnx"
    path.chmod(0o600)
    link.symlink_to(path.name)
    record_quality(link, photos, measure_quality(link, photos), None)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o600
    assert "Set2" in recorded_scores(*load(path))


def test_what_cannot_be_recorded(shipped: Path, photos: Path) -> None:
    path = shipped / "small-x4.onnx"
    command = ["quality", str(path), "--hr", str(photos), "--record", "--histogram-matching"]
    with pytest.raises(ConfigError, match="--record stores the scores of the model itself"):
        CliRunner().invoke(bench, command, catch_exceptions=False)
    document = measure_quality(path, photos)
    record_quality(path, photos, document, None)  # changes the file
    with pytest.raises(ModelError, match="changed while it was measured"):
        record_quality(path, photos, document, None)


def test_what_cannot_be_written_is_refused_before_it_is_measured(
    shipped: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)
    monkeypatch.setattr("framelift.benchmarks.quality.scores.measure_quality", None)
    words = ["quality", str(shipped / "small-x4.onnx"), "--hr", str(photos), "--record"]
    with pytest.raises(OutputError, match="is not writable"):
        CliRunner().invoke(bench, words, standalone_mode=False, catch_exceptions=False)


def test_a_style_has_no_scale_and_no_halo(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_models: ModuleType
) -> None:
    model = tiny_models.set_metadata(tiny_models.nearest_model(1), task="style", halo="1000000")
    tiny_models.save(model, tmp_path / "paint.onnx")
    monkeypatch.setattr(zoo, "MODELS", tmp_path)
    table = CliRunner().invoke(models, catch_exceptions=False).output
    assert table.splitlines()[1].split()[:2] == ["paint", "style"]
    assert "1000000" not in table
    (entry,) = json.loads(CliRunner().invoke(models, ["--json"]).output)
    assert (entry["task"], entry["scale"], entry["halo"]) == ("style", 1, None)


def test_no_shipped_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(zoo, "MODELS", tmp_path)
    assert "has no bundled models" in CliRunner().invoke(models).output
    assert json.loads(CliRunner().invoke(models, ["--json"]).output) == []
