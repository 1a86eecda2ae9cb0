"""The command is interrupted while it is still being loaded, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ..support.waiting import PATIENCE_S

SLOW = """
import sys, time
class Slow:
    def find_spec(self, name, path, target=None):
        if name == "framelift.cli.main":
            print("loading", flush=True)
            for _ in range(6000):  # a signal just before a long sleep would be seen after it
                time.sleep(0.1)
sys.meta_path.insert(0, Slow())
from framelift.cli.entry import main
main()
"""


def test_ctrl_c_while_the_command_is_loaded_is_one_line() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLOW], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "loading\n"
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=PATIENCE_S)
    assert errors == "framelift: interrupted by Ctrl-C\n"
    assert child.returncode == 130


WORK = """
import os, signal
from framelift.cli import main as command
from framelift.common.signals import signals_as_errors

def send(*names):
    for name in names:
        os.kill(os.getpid(), getattr(signal, name))

{}
inner = command.main
command.main = lambda: inner(["models", "--json"], prepare=work)
from framelift.cli.entry import main
main()
"""

BARE = """
def work():
    try:
        send(*SIGNALS)
    finally:
        send(*SIGNALS)
"""

BLOCK = """
def work():
    try:
        with signals_as_errors():
            send(*SIGNALS)
    finally:
        send(*SIGNALS)
"""

LOST = """
def work():
    try:
        send(*SIGNALS)
    except KeyboardInterrupt:
        raise ImportError("initialization failed")
"""

FAILING = """
from framelift.common.errors import InputError

echo = command.click.echo
def interrupted_echo(text, err):
    send(*SIGNALS)
    echo(text, err=err)

command.click.echo = interrupted_echo
def work():
    raise InputError("clip.mp4 is not there")
"""

DONE = """
command.log_file.end = lambda code: send(*SIGNALS)
def work():
    pass
"""


@pytest.mark.parametrize(
    ("signals", "name", "code"),
    [
        (["SIGINT", "SIGINT"], "Ctrl-C", 130),
        (["SIGINT", "SIGTERM"], "Ctrl-C", 130),
        (["SIGTERM", "SIGINT", "SIGHUP"], "SIGTERM", 143),
    ],
)
@pytest.mark.parametrize(
    ("work", "outcome"),
    [
        (BARE, ""),
        (BLOCK, "; no output was left behind"),
        (LOST, ""),
        (FAILING, ""),
        (DONE, ""),
    ],
)
def test_two_signals_at_once_are_one_line(
    work: str, outcome: str, signals: list[str], name: str, code: int
) -> None:
    program = WORK.format(
        f"SIGNALS = {signals}\nsignal.signal(signal.SIGHUP, signal.SIG_DFL)\n{work}"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr == f"framelift: interrupted by {name}{outcome}\n"
    assert done.returncode == code


_MAIN = "import sys; from framelift.cli.entry import main; main()"


def test_what_is_registered_for_the_end_is_called() -> None:
    code = f"import atexit; atexit.register(print, 'last', end='', flush=True); {_MAIN}"
    done = subprocess.run(
        [sys.executable, "-c", code, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("framelift ")
    assert done.stdout.endswith("\nlast")


def test_a_profiler_prints_what_it_found() -> None:
    command = [sys.executable, "-m", "cProfile", "-m", "framelift.cli.entry", "--version"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "function calls" in done.stdout


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), (["nothing"], 2)])
def test_all_output_arrives_with_the_exit_code(arguments: list[str], code: int) -> None:
    plain = "import sys; from framelift.cli.main import main; main()"
    ends = [
        subprocess.run([sys.executable, "-c", way, *arguments], capture_output=True, text=True)
        for way in (_MAIN, plain)
    ]
    assert [end.returncode for end in ends] == [code, code]
    assert (ends[0].stdout, ends[0].stderr) == (ends[1].stdout, ends[1].stderr)


def test_threads_that_are_waited_for_end_their_work(tmp_path: Path) -> None:
    file = tmp_path / "written"
    code = (
        "import threading, time, pathlib\n"
        f"def late(): time.sleep(0.3); pathlib.Path({str(file)!r}).write_text('all')\n"
        f"threading.Thread(target=late).start()\n{_MAIN}"
    )
    subprocess.run([sys.executable, "-c", code, "--version"], check=True, capture_output=True)
    assert file.read_text() == "all"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_that_is_refused_is_said_once() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", _MAIN, "models", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("framelift: ")
    assert done.stderr.endswith("No space left on device\n")
    assert done.stderr.count("\n") == 1
