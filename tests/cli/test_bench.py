"""`framelift bench` on tiny models: tables, files, one-line errors."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from framelift.cli.main import main

QUICK = ("--size", "16x12", "--seconds", "0", "--threads", "1")
BRIEF = (*QUICK, "--no-fresh", "--no-roofline")


def run(*argv: object) -> int:
    """Run the command line and return its exit code."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in argv])
    return int(caught.value.code or 0)


def failure(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    """The one line on stderr of a run that must fail."""
    assert run(*argv) != 0
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    return output.err


def test_latency_prints_a_table(
    capsys: pytest.CaptureFixture[str], shuffle_model_path: Path
) -> None:
    assert run("bench", "latency", shuffle_model_path, *BRIEF) == 0
    text = capsys.readouterr().out
    assert "latency of tiny-shuffle, 16×12 → 64×48" in text
    assert "p99" in text


def test_json_on_stdout_replaces_the_table(
    capsys: pytest.CaptureFixture[str], shuffle_model_path: Path
) -> None:
    assert run("bench", "latency", shuffle_model_path, *BRIEF, "--batch", 2, "--json", "-") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["kind"] == "latency"
    assert document["settings"]["batches"] == [2]


def test_reports_go_to_files_beside_the_table(
    capsys: pytest.CaptureFixture[str], shuffle_model_path: Path, tmp_path: Path
) -> None:
    target, notes = tmp_path / "report.json", tmp_path / "report.md"
    options = (*QUICK, "--json", target, "--markdown", notes)
    assert run("bench", "overhead", shuffle_model_path, *options) == 0
    assert "NumPy pre/post" in capsys.readouterr().out
    assert json.loads(target.read_text(encoding="utf-8"))["kind"] == "overhead"
    assert notes.read_text(encoding="utf-8").startswith("### overhead of tiny-shuffle")
    assert sorted(tmp_path.iterdir()) == [target, notes]


def test_quality_scores_a_folder(
    capsys: pytest.CaptureFixture[str], nearest_model_path: Path, tmp_path: Path
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 44, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "noise.png"), image)
    assert run("bench", "quality", nearest_model_path, "--hr", tmp_path) == 0
    text = capsys.readouterr().out
    assert "noise" in text
    assert "gain, dB" in text


@pytest.mark.parametrize("size", ["480", "x", "480x", "0x270", "-4x4", "480x270x3", "9000x4"])
def test_a_bad_size_is_one_line(
    capsys: pytest.CaptureFixture[str], shuffle_model_path: Path, size: str
) -> None:
    error = failure(capsys, "bench", "latency", shuffle_model_path, f"--size={size}")
    assert repr(size) in error


def test_bad_models_and_folders_are_one_line(
    capsys: pytest.CaptureFixture[str], shuffle_model_path: Path, tmp_path: Path
) -> None:
    missing = tmp_path / "none.onnx"
    assert "none.onnx" in failure(capsys, "bench", "latency", missing, *QUICK)
    text = tmp_path / "text.onnx"
    text.write_text("not a model", encoding="utf-8")
    assert "text.onnx" in failure(capsys, "bench", "overhead", text, *QUICK)
    assert "holds no images" in failure(
        capsys, "bench", "quality", shuffle_model_path, "--hr", tmp_path
    )
    unknown = ("--backend", "no-such-backend")
    assert "no-such-backend" in failure(
        capsys, "bench", "latency", shuffle_model_path, *QUICK, *unknown
    )


def test_targets_are_checked_before_the_run(
    capsys: pytest.CaptureFixture[str], shuffle_model_path: Path, tmp_path: Path
) -> None:
    command = ("bench", "latency", shuffle_model_path, "--size", "16x12", "--seconds", "3600")
    target = tmp_path / "none" / "report.json"
    assert "does not exist" in failure(capsys, *command, "--json", target)
    same = tmp_path / "report"
    assert "named for two reports" in failure(capsys, *command, "--json", same, "--markdown", same)
    assert list(tmp_path.iterdir()) == []
