"""--log-file keeps what a command says, with the time of each line and how it ended."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from framelift.cli.main import main
from framelift.cli.output import log_file

from ...support.images import image

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d ")


def lines(log: Path) -> list[str]:
    """The lines of a log without their times, which all of them have."""
    kept = log.read_text(encoding="utf-8").splitlines()
    assert all(TIME.match(line) for line in kept)
    return [TIME.sub("", line) for line in kept]


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def test_a_run_and_a_failure_are_kept(
    tmp_path: Path, nearest_model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target, log = image(tmp_path / "a.png"), tmp_path / "b.png", tmp_path / "run.log"
    command = ("upscale", source, target, "--model", nearest_model_path, "--log-file", log)
    assert run(*command) == 0
    shown = capsys.readouterr()
    first = lines(log)
    assert first[0].startswith(f"framelift 0.1.0: upscale {source} {target} --model")
    assert first[1:] == [shown.err.strip(), shown.out.strip(), "ended with exit code 0"]
    assert run(*command) == 1
    said = capsys.readouterr().err.strip()
    assert lines(log)[len(first) + 1 :] == [said, "ended with exit code 1"]
    assert said == f"framelift: {target}: already exists; pass --overwrite to replace it"


def test_secrets_and_progress_bars_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "run.log"
    run("upscale", "rtsp://me:hush@localhost:1/x", "gone/out.mp4", "--log-file", log)
    assert "hush" not in log.read_text()
    assert "rtsp://localhost:1/x" in lines(log)[0]
    kept = log_file.LogFile(tmp_path / "bar.log")
    stream = log_file._Copied(sys.stderr, kept)
    for text in ("10 %\r20 %", "\r30 %\r", "100 %\nnote", ": done\n", "\n"):
        stream.write(text)
    kept.close()
    assert lines(tmp_path / "bar.log") == ["100 %", "note: done"]


def test_a_log_that_cannot_be_written_is_named_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("models", "--log-file", tmp_path / "gone" / "run.log") == 1
    error = capsys.readouterr().err
    assert error == (
        f"framelift: {tmp_path}/gone/run.log: cannot be written to (No such file or directory)\n"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_disk_that_fills_up_costs_the_log_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models", "--json", "--log-file", "/dev/full") == 0
    shown = capsys.readouterr()
    json.loads(shown.out)
    assert shown.err == (
        "note: the log file /dev/full can no longer be written (No space left on device)\n"
    )


def test_a_crash_is_kept_with_its_traceback(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from framelift.cli import main as command\n"
        "def fail(**options): raise RuntimeError('a bug')\n"
        "command.framelift.commands['models'].callback = fail\n"
        "command.main(sys.argv[1:])\n"
    )
    log = tmp_path / "run.log"
    done = subprocess.run(
        [sys.executable, "-c", code, "models", "--log-file", log], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert lines(log)[-1] == "RuntimeError: a bug"


def test_every_command_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["upscale"], ["stylize"], ["train"], ["bench", "latency"], ["engine", "list"]):
        assert run(*command, "--help") == 0
        assert "--log-file FILE" in capsys.readouterr().out
