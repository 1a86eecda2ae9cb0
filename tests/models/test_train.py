"""The one command, from photographs to verdicts, in a few steps, and its refusals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from framelift.benchmarks.report.model import read_document
from framelift.common.errors import ConfigError, InputError, TrainingError
from framelift.runtime.models.file import load
from framelift.runtime.models.scores import recorded_scores
from models import training
from models.train import main
from tests.support.reports import as_json

ROOT = Path(__file__).parents[2]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Parts of a photograph to train on, and one to judge on in `Set5`."""
    image = cv2.imread(str(ROOT / "examples" / "raccoon.jpg"))
    assert image is not None
    for name in ("photos", "Set5"):
        (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "a.png"), image[:256, :256])
    cv2.imwrite(str(tmp_path / "photos" / "b.png"), image[:256, 256:512])
    cv2.imwrite(str(tmp_path / "Set5" / "c.png"), image[256:384, 256:384])
    return tmp_path


@pytest.fixture
def vgg(tmp_path: Path) -> Path:
    """Random weights in the form of the Caffe network."""
    rng = np.random.default_rng(0)
    kernels: dict[str, np.ndarray] = {}
    inputs = 3
    for name, outputs in (("1_1", 64), ("1_2", 64), ("2_1", 128), ("2_2", 128)):
        gain = np.sqrt(2 / (9 * inputs))
        weight = rng.normal(0, gain, (outputs, inputs, 3, 3)).astype(np.float32)
        kernels |= {f"conv{name}.weight": weight, f"conv{name}.bias": np.zeros(outputs, "f4")}
        inputs = outputs
    np.savez(tmp_path / "vgg.npz", **kernels)  # type: ignore[arg-type]
    return tmp_path / "vgg.npz"


def invoke(photos: Path, *words: str) -> Result:
    folders = ("--runs", str(photos / "runs"), "--results", str(photos / "results"))
    return CliRunner().invoke(main, [*words, *folders])


@pytest.mark.slow
def test_from_photographs_to_verdicts(photos: Path, vgg: Path) -> None:
    name = "realtime-nano-x4"
    words = (
        name,
        f"{name}-perceptual",
        "--data",
        str(photos / "photos"),
        "--hr",
        str(photos / "Set5"),
        "--vgg",
        str(vgg),
        "--set",
        "steps=2",
        "--set",
        "data.crop=64",
        "--set",
        "data.batch=1",
        "--set",
        "log_every=1",
    )
    first = invoke(photos, *words)
    assert isinstance(first.exception, TrainingError)
    assert f"{name} misses: fp16 " in str(first.exception)
    results = photos / "results"
    for stem in (name, f"{name}-perceptual"):
        assert (results / f"{stem}.safetensors").is_file()
        assert len((results / f"{stem}.jsonl").read_text().splitlines()) >= 2
        assert recorded_scores(*load(results / f"{stem}.onnx"))["Set5"]["feature_distance"] > 0
    assert len(as_json(read_document(results / "report.json"))["documents"]) == 2
    assert list(json.loads((results / "verdicts.json").read_text())) == [name, f"{name}-perceptual"]

    again = invoke(photos, *words)
    assert str(again.exception) == str(first.exception)
    assert "exporting" in first.output
    assert "training" in first.output
    assert "exporting" not in again.output
    assert "training" not in again.output


def test_a_checkpoint_that_is_there_is_judged(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a model that was not trained here, the shipped weights."""
    originals = (photos / "Set5").rename(photos / "Other")  # which has no floor
    words = ("realtime-small-x4", "--hr", str(originals), "--only", "judge")
    result = invoke(photos, *words)
    assert result.exit_code == 0
    header, row = result.stdout.strip().splitlines()
    assert header.split()[0] == "model"
    assert row.split()[0] == "realtime-small-x4"
    report = as_json(read_document(photos / "results" / "report.json"))
    assert report["documents"][0]["results"]["mean"]["model"]["psnr_db"] > 20
    assert (photos / "results" / "realtime-small-x4.onnx").is_file()
    assert row.split()[-1] == "good"
    few = photos / "few"
    few.mkdir()
    shutil.copy(ROOT / "models" / "realtime-small-x4.safetensors", few)
    monkeypatch.setattr(training, "FOLDER", few)
    both = invoke(photos, "johnson-x8", *words)
    assert str(both.exception) == "1 of 2 models: johnson-x8 has not been trained"


def test_what_was_not_trained_is_not_judged_by_the_shipped_weights(photos: Path) -> None:
    empty = photos / "empty"
    empty.mkdir()
    words = ("realtime-nano-x4", "--data", str(empty), "--hr", str(photos / "Set5"))
    result = invoke(photos, *words)
    assert isinstance(result.exception, TrainingError)
    assert not (photos / "results").exists()
    calibration = ("--calibration", str(photos / "none"))
    error = invoke(photos, *words, *calibration).exception  # before anything is trained
    assert isinstance(error, InputError)
    assert "no such folder of images to calibrate on" in str(error)


def test_images_too_small_to_judge_are_named(photos: Path) -> None:
    small = photos / "small"
    small.mkdir()
    cv2.imwrite(str(small / "a.png"), np.zeros((24, 24, 3), np.uint8))
    error = invoke(photos, "realtime-nano-x2", "--hr", str(small), "--only", "judge").exception
    assert isinstance(error, InputError)
    assert str(error).startswith(f"{small}: no image of 32×32 pixels to look for patterns in")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("huge", "--hr", "x"), "huge: not in the zoo"),
        (("realtime-nano-x4", "--hr", "x"), "no photographs to train on: pass --data DIR"),
        (("realtime-nano-x4", "--only", "judge"), "nothing to judge on: give --hr DIR"),
        (("johnson-x8", "--only", "judge", "--hr", "x"), "none of these models was trained"),
    ],
)
def test_refusals(
    photos: Path, words: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "FOLDER", photos)  # nothing ships
    error = invoke(photos, *words).exception
    assert isinstance(error, ConfigError)
    assert message in str(error)
    assert not (photos / "results").exists()
