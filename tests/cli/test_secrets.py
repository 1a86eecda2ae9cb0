"""Passwords and stream keys are seen by nobody but the server."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ..support.clips import make_clip, noise
from ..support.waiting import PATIENCE_S

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

_MAIN = "from framelift.cli.main import main; main()"


def _command_lines() -> list[bytes]:
    lines = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            lines.append((process / "cmdline").read_bytes())
        except OSError:  # it has ended
            continue
    return lines


def test_a_url_with_a_password_is_in_no_command_line_and_no_message(
    tmp_path: Path, nearest_model_path: Path
) -> None:
    source = make_clip(tmp_path / "a.mp4", noise(10))
    with socket.create_server(("127.0.0.1", 0)) as silent:  # until it hangs up
        shown = f"rtmp://127.0.0.1:{silent.getsockname()[1]}/live/"
        url = f"{shown}hunter2?passphrase=hunter2"
        arguments = ["upscale", str(source), url, "--model", str(nearest_model_path)]
        child = subprocess.Popen(
            [sys.executable, "-c", _MAIN, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        silent.settimeout(PATIENCE_S)
        connection, _ = silent.accept()  # by now, both processes run
        lines = _command_lines()
        connection.close()
    output = child.communicate(timeout=PATIENCE_S)[0].decode()
    assert any(b"live.targets.publisher" in line for line in lines)
    assert any(b"\0upscale\0" in line and shown.encode() in line for line in lines)
    assert [line for line in lines if b"hunter2" in line] == []
    assert child.returncode == 1
    assert f"{shown}…?…: cannot be streamed to" in output
    assert "hunter2" not in output


def test_arguments_are_hidden_and_the_others_stay() -> None:
    code = (
        "import json, sys; from framelift.cli.options.command_line import hide_arguments\n"
        "hide_arguments({sys.argv[2]: 'rtsp://host', sys.argv[3]: 'a longer one than it was'})\n"
        "print(json.dumps([open('/proc/self/cmdline').read().split('\\0')[3:], sys.argv[1:]]))"
    )
    arguments = ["plain", "rtsp://me:hunter2@host", "tcp://sécrèt", "rtsp://me:hunter2@host"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    seen, kept = json.loads(done.stdout)
    assert [argument.rstrip() for argument in seen] == [
        "plain",
        "rtsp://host",
        "a longer one t",
        "rtsp://host",
        "",
    ]
    assert kept == arguments
