"""Every failure is one line on stderr and a non-zero exit code."""

from __future__ import annotations

import pytest

from framelift.cli.main import main


def test_a_path_that_the_system_refuses_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    name = 300 * "a"
    with pytest.raises(SystemExit) as ended:
        main(["check", f"{name}.onnx"])
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"framelift: {name}.onnx: File name too long\n"
