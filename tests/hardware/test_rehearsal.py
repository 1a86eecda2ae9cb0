"""All of it on this machine, with tiny sizes: what a GPU will be asked is asked here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hardware.plan import ROOT


def hardware(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hardware", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
def test_the_rehearsal_goes_from_end_to_end(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    done = hardware("--dry-run", "--out", str(tmp_path), "--seconds", "400")
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    found = {part["name"]: part for part in document["parts"]}
    assert {part["state"] for part in found.values()} == {"done"}
    assert document["seconds"] < 400
    backends = {
        row["name"]: row["reason"]
        for row in found["environment"]["rows"]
        if row["kind"] == "backend"
    }
    assert backends["onnx-cpu"] is None
    for engine in ("onnx-cpu", "ort-numpy"):
        cases = [row for row in found[f"latency-{engine}"]["rows"] if row["kind"] == "case"]
        assert len(cases) == 2
        for case in cases:
            assert case["p50_ms"] > 0
            assert case["agreement"]["share_within_1"] > 0.99
    (peak, speed) = found["training"]["rows"]
    assert speed["share_of_peak"] == pytest.approx(
        speed["operations_per_step"] * speed["images_per_s"] / 2 / peak["bf16_per_second"]
    )
    sinks = {row["sink"]: row["fps"] for row in found["video"]["rows"]}
    assert sinks["h264"] > 0
    trained = [row for row in found["zoo"]["rows"] if row["steps"]]
    assert len(trained) == 2
    for row in trained:
        assert Path(row["checkpoint"]).is_file()
        assert row["last_db"] > 20  # from the shipped weights, not from scratch
    text = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "cannot be shown" not in text


def test_what_is_missing_is_one_line(tmp_path: Path) -> None:
    for arguments, line in (
        (["--wheels", str(tmp_path / "none")], "none: no such folder (--wheels)"),
        (["--dry-run", "--seconds", "3"], "--seconds 3: give 10 to 86400"),
        (["--dry-run", "--vgg", str(tmp_path / "v.npz")], "v.npz: no such file (--vgg)"),
    ):
        done = hardware("--out", str(tmp_path / "out"), *arguments)
        assert done.returncode == 2
        (told,) = done.stderr.splitlines()
        assert line in told
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="there is a GPU here")
def test_without_a_gpu_nothing_is_begun(tmp_path: Path) -> None:
    done = hardware("--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert done.stderr == (
        "hardware: no NVIDIA GPU (/dev/nvidia0 is missing); --dry-run, or make gpu DRY_RUN=1, "
        "rehearses without one\n"
    )
