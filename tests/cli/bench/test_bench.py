"""`framelift bench` on tiny models: tables, files, one-line errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
    # Where JSON is asked for on stdout, it holds the error, too.
    told = json.loads(output.out)["error"]["message"] if output.out else output.err
    assert told in output.err
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


def test_quality_after_histogram_matching(nearest_model_path: Path, tmp_path: Path) -> None:
    folder, plain, matched = (tmp_path / name for name in ("hr", "plain.json", "matched.json"))
    folder.mkdir()
    image = np.random.default_rng(0).integers(0, 256, (40, 44, 3), np.uint8)
    cv2.imwrite(str(folder / "noise.png"), image)
    command = ("bench", "quality", nearest_model_path, "--hr", folder, "--json")
    assert run(*command, plain) == run(*command, matched, "--histogram-matching") == 0
    before, after = (json.loads(path.read_text("utf-8")) for path in (plain, matched))
    assert after["settings"]["post-processing"] == "histogram matching"
    # Nearest neighbour keeps the histogram; bicubic of noise flattens it.
    assert after["results"]["mean"]["model"] == before["results"]["mean"]["model"]
    assert after["results"]["mean"]["bicubic"] != before["results"]["mean"]["bicubic"]


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
    assert "contains no images" in failure(
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


def test_a_page_is_written_beside_the_table(
    capsys: pytest.CaptureFixture[str], shuffle_model_path: Path, tmp_path: Path
) -> None:
    page, report = tmp_path / "page.html", tmp_path / "report.json"
    options = (*BRIEF, "--size", "8x8", "--vs", "ort-numpy", "--html", page, "--json", report)
    assert run("bench", "latency", shuffle_model_path, *options) == 0
    assert "ort-numpy, 8×8" in capsys.readouterr().out
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert len(json.loads(report.read_text(encoding="utf-8"))["results"]["cases"]) == 4
    again = tmp_path / "again.html"
    assert run("bench", "render", report, "--html", again) == 0
    assert again.read_text(encoding="utf-8") == page.read_text(encoding="utf-8")


def test_unknown_rivals_are_one_line(
    capsys: pytest.CaptureFixture[str], shuffle_model_path: Path
) -> None:
    error = failure(capsys, "bench", "latency", shuffle_model_path, *BRIEF, "--vs", "caffe")
    assert "--vs 'caffe' is unknown: use ort-numpy" in error


def test_live_streams_and_videos_are_measured(
    capsys: pytest.CaptureFixture[str], nearest_model_path: Path, tmp_path: Path
) -> None:
    live = ("--size", "128x8", "--seconds", "0.1", "--fps", "60", "--threads", "1")
    assert run("bench", "stream", nearest_model_path, *live) == 0
    assert "glass to glass" in capsys.readouterr().out
    missing = tmp_path / "none.mp4"
    assert "none.mp4" in failure(capsys, "bench", "video", nearest_model_path, missing)


def test_compare_fails_above_its_limit(
    capsys: pytest.CaptureFixture[str], shuffle_model_path: Path, tmp_path: Path
) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    assert run("bench", "latency", shuffle_model_path, *BRIEF, "--json", old) == 0
    document = json.loads(old.read_text(encoding="utf-8"))
    case = document["results"]["cases"][0]
    case["latency"]["p50_ms"] *= 1.2
    case["samples_ms"] = [20 * sample for sample in case["samples_ms"]]
    new.write_text(json.dumps(document), encoding="utf-8")
    capsys.readouterr()
    assert run("bench", "compare", old, new) == 0
    assert "+20.0%" in capsys.readouterr().out
    assert run("bench", "compare", old, new, "--fail-above", "25%") == 0
    assert run("bench", "compare", old, old, "--fail-above", "0") == 0
    capsys.readouterr()
    assert run("bench", "compare", old, new, "--fail-above", "5%") == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("framelift: worse by more than 5%: latency: tiny-shuffle")
    assert captured.err.count("\n") == 1
    assert "is not a percentage" in failure(
        capsys, "bench", "compare", old, new, "--fail-above", "x"
    )


@pytest.mark.parametrize("command", ["compare", "render"])
def test_a_damaged_report_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    path, page = tmp_path / "report.json", tmp_path / "page.html"
    document = {"schema": "framelift.benchmark", "schema_version": 4, "kind": "latency"}
    path.write_text(json.dumps(document), encoding="utf-8")
    more = (path,) if command == "compare" else ("--html", page)
    error = failure(capsys, "bench", command, path, *more)
    assert f"{path}: is a damaged report (" in error
    assert not page.exists()


def test_training_speed_needs_photographs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    error = failure(capsys, "bench", "train", "realtime-small-x4", "--data", tmp_path)
    assert str(tmp_path) in error


def test_training_speed_of_a_style(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    folder, style, vgg = tmp_path / "photos", tmp_path / "style.png", tmp_path / "vgg.npz"
    folder.mkdir()
    for path in (folder / "photo.png", style):
        cv2.imwrite(str(path), rng.integers(0, 256, (64, 64, 3), np.uint8))
    arrays: dict[str, Any] = {}
    inputs = 3
    for name, width in (("conv1_1", 64), ("conv1_2", 64), ("conv2_1", 128), ("conv2_2", 128)):
        arrays[f"{name}.weight"] = rng.standard_normal((width, inputs, 3, 3), np.float32) / 30
        arrays[f"{name}.bias"] = np.zeros(width, np.float32)
        inputs = width
    np.savez(vgg, **arrays)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)  # other tests want them
    small = ("--set", "data.crop=32", "--set", "data.batch=1", "--set", "style.side=32")
    timed = ("--steps", 2, "--warm-up", 0, "--device", "cpu", "--threads", 1, "--json", "-")
    layers = ("--set", "loss.0.layers={relu2_2=1.0}", "--set", "loss.1.layers={relu2_2=1.0}")
    given = (*small, *layers, *timed)
    command = ("bench", "train", "starry-night", "--data", folder, "--vgg", vgg, *given)
    assert run(*command, "--style", style) == 0
    assert json.loads(capsys.readouterr().out)["results"]["images_per_s"] > 0
    assert "no style image: pass --style" in failure(capsys, *command)


def test_markdown_on_stdout_replaces_the_table(
    capsys: pytest.CaptureFixture[str], shuffle_model_path: Path, tmp_path: Path
) -> None:
    report, notes = tmp_path / "report.json", tmp_path / "report.md"
    command = ("bench", "overhead", shuffle_model_path, *QUICK)
    assert run(*command, "--json", report, "--markdown", notes) == 0
    capsys.readouterr()
    assert run("bench", "render", report, "--markdown", "-") == 0
    assert capsys.readouterr().out == notes.read_text(encoding="utf-8")
    error = failure(capsys, "bench", "render", report, "--markdown", "-", "--json", "-")
    assert error == (
        "framelift: -: is named for two reports; print one, write the other to a file\n"
    )


def test_rendering_does_not_replace_what_it_reads(
    capsys: pytest.CaptureFixture[str], shuffle_model_path: Path, tmp_path: Path
) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    assert run("bench", "overhead", shuffle_model_path, *QUICK, "--json", one) == 0
    two.write_bytes(before := one.read_bytes())
    capsys.readouterr()
    error = failure(capsys, "bench", "render", one, two, "--json", two)
    assert error == f"framelift: {two}: is the input itself; name another file\n"
    assert two.read_bytes() == before
