"""`framelift export` and Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from ..support.waiting import PATIENCE_S


def test_ctrl_c_ends_it_at_once_whatever_swallows_it(tmp_path: Path) -> None:
    code = textwrap.dedent(
        f"""
        import time
        from framelift.cli.main import main
        from framelift.export import exporter

        def deaf(*arguments):
            print("begun", flush=True)
            try:
                time.sleep(120)
            except BaseException:
                raise RuntimeError("swallowed") from None

        exporter.export_checkpoint = deaf
        main(["export", {str(tmp_path / "a.safetensors")!r}])
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE_S)
    assert time.monotonic() - started < 60
    assert process.returncode == 130
    assert stderr == "framelift: interrupted by Ctrl-C; no output was left behind\n"
