"""The command is interrupted while it is still being loaded."""

from __future__ import annotations

import signal
import subprocess
import sys

SLOW = """
import sys, time
class Slow:
    def find_spec(self, name, path, target=None):
        if name == "framelift.cli.main":
            print("loading", flush=True)
            time.sleep(20)
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
        _, errors = child.communicate(timeout=10)
    assert errors == "framelift: interrupted\n"
    assert child.returncode == 130
