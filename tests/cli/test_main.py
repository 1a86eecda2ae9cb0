"""Every failure is one line on stderr and a non-zero exit code."""

from __future__ import annotations

import pytest

from framelift.cli.main import framelift, main


def test_a_path_that_the_system_refuses_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    name = 300 * "a"
    with pytest.raises(SystemExit) as ended:
        main(["check", f"{name}.onnx"])
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"framelift: {name}.onnx: File name too long\n"


def test_too_little_memory_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_out(*arguments: object, **options: object) -> None:
        raise MemoryError("Unable to allocate 10.1 GiB")

    monkeypatch.setattr(framelift, "main", run_out)
    with pytest.raises(SystemExit) as ended:
        main(["check", "m.onnx"])
    assert ended.value.code == 1
    assert capsys.readouterr().err == "framelift: out of memory: Unable to allocate 10.1 GiB\n"
