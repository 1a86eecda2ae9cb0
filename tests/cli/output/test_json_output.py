"""With --json a command prints one JSON document, whether it succeeds or fails."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from framelift.cli.main import main
from framelift.cli.output.json_output import expect_json, print_json

from ...support.images import image
from ...support.waiting import PATIENCE_S, catches, wait_until


def failed(
    capsys: pytest.CaptureFixture[str], *arguments: str | Path
) -> tuple[dict[str, str], int]:
    """The error in the one document on stdout, beside the line on stderr; and the exit code."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert set(document) == {"schema", "error", "exit_code"}
    assert document["exit_code"] == ended.value.code
    error: dict[str, str] = document["error"]
    assert shown.err.splitlines()[-1] == f"framelift: {error['message']}"
    return error, document["exit_code"]


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [
        (["check", "gone.onnx", "--json"], "ModelError", 1),
        (["inspect", "gone.onnx", "--json"], "ModelError", 1),
        (["upscale", "gone.png", "b.png", "--json"], "InputError", 1),
        (["upscale", "--json", "gone.png"], "UsageError", 2),
        (["models", "--json", "--threads", "2"], "UsageError", 2),
        (["nosuch", "--json"], "UsageError", 2),
        (["engine", "inspect", "gone", "--json"], "BackendError", 1),
        (["bench", "quality", "realtime-nano-x2", "--hr", "gone", "--json", "-"], "InputError", 1),
    ],
)
def test_failures_are_json_too(
    capsys: pytest.CaptureFixture[str], arguments: list[str], kind: str, code: int
) -> None:
    error, exit_code = failed(capsys, *arguments)
    assert (error["kind"], exit_code) == (kind, code)


def test_without_it_failures_are_one_line_alone(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["check", "gone.onnx"],
        ["bench", "quality", "realtime-nano-x2", "--hr", "gone", "--json", "gone/report.json"],
    ):
        with pytest.raises(SystemExit):
            main(arguments)
        assert capsys.readouterr().out == ""


def test_a_folder_with_a_failure_gives_its_summary_alone(
    tmp_path: Path, nearest_model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    image(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_bytes(b"no image")
    with pytest.raises(SystemExit) as ended:
        main(
            [
                "upscale",
                str(tmp_path / "in"),
                str(tmp_path / "out"),
                "--json",
                "--model",
                str(nearest_model_path),
            ]
        )
    assert ended.value.code == 1
    summary = json.loads(capsys.readouterr().out)
    assert [len(summary[key]) for key in ("done", "failed")] == [1, 1]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_interrupted_run_is_json_too(tmp_path: Path, nearest_model_path: Path) -> None:
    fifo = tmp_path / "in.y4m"
    os.mkfifo(fifo)
    code = "import sys; from framelift.cli.main import main; main(sys.argv[1:])"
    running = subprocess.Popen(
        [
            sys.executable,
            "-c",
            code,
            "upscale",
            fifo,
            tmp_path / "out.mp4",
            "--json",
            "--model",
            nearest_model_path,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(
            lambda: catches(running.pid, signal.SIGTERM) or running.poll() is not None,
            "a handler for SIGTERM",
        )
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=PATIENCE_S)
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 143, err
    document = json.loads(out)
    assert (document["exit_code"], document["error"]["kind"]) == (143, "Interrupted")


INTERRUPTED = """
import os, signal
from framelift.cli.dispatch import leaving
from framelift.cli.main import main
from framelift.common.errors import Interrupted

def interrupted():
    raise Interrupted("interrupted by SIGTERM; no output was left behind", 143)

def print_failure(*arguments):
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), number)
    printing(*arguments)

printing, leaving.print_failure = leaving.print_failure, print_failure
main(["models", "--json"], prepare=interrupted)
"""


def test_a_second_signal_does_not_cut_off_what_is_said_of_the_first() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True)
    assert done.returncode == 143, done.stderr
    assert done.stderr == "framelift: interrupted by SIGTERM; no output was left behind\n"
    assert json.loads(done.stdout)["error"]["kind"] == "Interrupted"


UNREAD = """
import os, signal, time
from framelift.cli.main import main
from framelift.common.signals import signals_as_errors

def interrupted():
    with signals_as_errors():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)

main(["models"], prepare=interrupted)
"""


def test_a_pipe_that_nobody_reads_does_not_keep_an_interrupted_process() -> None:
    reading, writing = os.pipe()
    try:
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b"x" * 512)
        os.set_blocking(writing, True)
        done = subprocess.run([sys.executable, "-c", UNREAD], stderr=writing, timeout=30)
    finally:
        os.close(reading)
        os.close(writing)
    assert done.returncode == 130


def test_numbers_that_json_has_not_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    expect_json([])
    print_json({"a": [float("nan"), 1.5], "b": (float("inf"),)}, indent=None)
    assert capsys.readouterr().out == '{"a": [null, 1.5], "b": [null]}\n'
