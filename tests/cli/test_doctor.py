"""`framelift doctor`: text, JSON and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from framelift.cli.main import main
from framelift.runtime import doctor


@pytest.fixture(autouse=True)
def _tiny_model(shuffle_model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    diagnose = doctor.diagnose
    monkeypatch.setattr(doctor, "diagnose", lambda: diagnose(shuffle_model_path))


def run(*argv: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["doctor", *argv])
    return int(caught.value.code or 0)


def test_a_working_installation_is_ready(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    output = capsys.readouterr()
    assert output.err == ""
    for name in ("python", "numpy", "opencv", "onnxruntime", "H.264 encoder", "onnx-cpu"):
        assert name in output.out
    assert "Ready: framelift upscale runs on" in output.out


def test_json_holds_every_finding(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--json") == 0
    findings = json.loads(capsys.readouterr().out)
    assert findings["can_upscale_video"] is True
    assert {check["name"]: check["status"] for check in findings["backends"]}["onnx-cpu"] == "ok"
    assert findings["encoder"]["status"] == "ok"


@pytest.mark.parametrize(
    ("encoder", "backend", "reason"),
    [("problem", "ok", "no video can be written"), ("ok", "problem", "no backend works")],
)
def test_what_is_broken_is_shown_with_its_cure_and_exit_code_1(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    encoder: str,
    backend: str,
    reason: str,
) -> None:
    broken = doctor.Diagnosis(
        (doctor.Check("torch", doctor.Status.ABSENT, "not installed (optional)"),),
        doctor.Check("H.264 encoder", doctor.Status(encoder), "detail", "pip install av"),
        (doctor.Check("onnx-cpu", doctor.Status(backend), "detail"),),
    )
    monkeypatch.setattr(doctor, "diagnose", lambda: broken)
    assert run() == 1
    output = capsys.readouterr()
    assert "!!" in output.out
    assert "run: pip install av" in output.out
    assert "Not ready" in output.out
    assert reason in output.err
    assert output.err.count("\n") == 1
