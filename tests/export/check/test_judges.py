"""Who speaks of a target in `framelift check`: the tool itself where it is installed."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from framelift.cli.main import framelift
from framelift.common.errors import BackendError, MissingDependencyError
from framelift.export.check import judges
from framelift.export.check.checker import check_model
from framelift.export.check.targets import RTX
from framelift.runtime.models.zoo import resolve
from framelift.runtime.tensorrt.ask import Answer, ask_parser

FLOAT, INT8 = resolve("realtime-nano-x4"), resolve("realtime-nano-x4-int8")


def _speaks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> None:
    """Let a shell script be what the parser's process runs."""
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(judges, "rtx_problem", lambda: None)


@pytest.mark.compile
def test_nvidia_s_parser_speaks_where_it_is_installed() -> None:
    report = check_model(FLOAT, (RTX, "tensorrt11"))
    assert report.verdicts() == {RTX: True, "tensorrt11": True}
    assert report.judges == {
        RTX: "NVIDIA's parser (TensorRT for RTX 1.7.1.116)",
        "tensorrt11": "framelift's table of TensorRT's operators",
    }


@pytest.mark.compile
def test_a_node_that_the_parser_refuses_is_named_with_the_remedy() -> None:
    report = check_model(INT8, (RTX,))
    assert not report.runs_on(RTX)
    (found,) = report.findings
    assert found.where == "Transpose 'to_nchw'"
    assert found.problem.startswith("to_nchw: first input has type UInt8 but must have type Float")
    assert found.remedy.startswith("use the model in fp16, or export it in int8 with --target")


@pytest.mark.compile
def test_a_named_release_is_asked_if_it_is_the_installed_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = check_model(FLOAT, ("tensorrt-rtx==1.7",))
    assert asked.judges["tensorrt-rtx==1.7"].startswith("NVIDIA's parser")
    monkeypatch.setattr(judges, "installed_rtx", lambda: "1.70.1.116")
    asked = check_model(FLOAT, ("tensorrt-rtx==1.7",))
    assert asked.judges["tensorrt-rtx==1.7"] == "framelift's table of TensorRT's operators"


def test_without_the_parser_the_table_speaks_and_says_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(judges, "rtx_problem", lambda: MissingDependencyError("not installed"))
    report = check_model(INT8, (RTX,))
    assert not report.runs_on(RTX)
    assert report.judges[RTX] == "framelift's table of TensorRT's operators"
    assert check_model(FLOAT, (RTX,)).runs_on(RTX)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell script as the child")
def test_a_parser_that_crashes_has_refused_the_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _speaks(monkeypatch, tmp_path, f"kill -{signal.SIGSEGV.value} $$")
    report = check_model(FLOAT, (RTX,))
    (found,) = report.findings
    assert (found.where, found.problem) == ("model", "the parser ended with SIGSEGV")
    assert report.judges[RTX] == "NVIDIA's parser (TensorRT for RTX)"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell script as the child")
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("""echo '{"error": "libx.so.1 is missing"}'""", "libx.so.1 is missing"),
        ("echo boom >&2; exit 3", "the parser's process failed: boom"),
        ("exit 3", "the parser's process failed: exit code 3"),
    ],
)
def test_a_library_that_does_not_load_leaves_it_to_the_table_and_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, reason: str
) -> None:
    _speaks(monkeypatch, tmp_path, script)
    report = check_model(FLOAT, (RTX,))
    assert report.runs_on(RTX)
    assert report.judges[RTX] == f"framelift's table of TensorRT's operators ({reason})"
    with pytest.raises(BackendError, match=reason):
        ask_parser(FLOAT)


def test_what_tables_hold_against_a_target_is_a_risk_where_the_tool_takes_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(judges, "ask_parser", lambda path: Answer("TensorRT for RTX 9.9", ()))
    monkeypatch.setattr(judges, "rtx_problem", lambda: None)
    report = check_model(INT8, (RTX, "tensorrt10"))
    assert report.verdicts() == {RTX: True, "tensorrt10": False}
    assert report.judges[RTX] == "NVIDIA's parser (TensorRT for RTX 9.9)"


@pytest.mark.compile
def test_the_command_says_who_spoke() -> None:
    ran = CliRunner().invoke(
        framelift, ["check", str(FLOAT), "--target", RTX], standalone_mode=False
    )
    assert ran.return_value == 0
    assert (
        "tensorrt-rtx: can run it, according to NVIDIA's parser (TensorRT for RTX 1." in ran.output
    )
    ran = CliRunner().invoke(
        framelift, ["check", str(INT8), "--target", RTX, "--json"], standalone_mode=False
    )
    assert ran.return_value == 1
    assert json.loads(ran.output)["judges"][RTX].startswith("NVIDIA's parser")
