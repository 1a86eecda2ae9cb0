"""`framelift upscale` that is interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from ..support.images import image
from ..support.upscaling import names, run, write_clip
from ..support.waiting import PATIENCE_S

STUCK_S = 120.0


def slow_run(
    source: Path, target: Path, model: Path, seconds: float, *options: str
) -> subprocess.Popen[str]:
    """The command in a process of its own, with an upscaler that takes its time."""
    arguments = [str(source), str(target), "--model", str(model), "-q", *options]
    code = textwrap.dedent(
        f"""
        import signal, sys, time
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also where the tests run under nohup
        from framelift.cli.upscale.command import upscale
        from framelift.common.errors import FrameliftError
        from framelift.runtime import Upscaler
        submit = Upscaler.submit
        frames = 0

        def slow(self, frame, out):
            global frames
            frames += 1
            if frames == 5:
                print("five", flush=True)
                time.sleep({seconds})
            return submit(self, frame, out)

        Upscaler.submit = slow
        try:
            upscale.main({arguments!r}, standalone_mode=False)
        except FrameliftError as error:
            print(f"framelift: {{error}}", file=sys.stderr)
            sys.exit(error.exit_code)
        """
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("number", "code", "name"),
    [
        (signal.SIGINT, 130, "Ctrl-C"),
        (signal.SIGTERM, 143, "SIGTERM"),
        (signal.SIGHUP, 129, "SIGHUP"),
    ],
)
@pytest.mark.parametrize("stuck_seconds", [0.1, STUCK_S])
def test_a_signal_ends_it_though_a_call_is_stuck_and_leaves_nothing(
    tmp_path: Path,
    clip: Path,
    nearest_model_path: Path,
    number: signal.Signals,
    code: int,
    name: str,
    stuck_seconds: float,
) -> None:
    write_clip(clip, 400)
    with slow_run(clip, tmp_path / "out.mp4", nearest_model_path, stuck_seconds) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "five\n"
        started = time.monotonic()
        process.send_signal(number)
        _, stderr = process.communicate(timeout=PATIENCE_S)
    assert time.monotonic() - started < STUCK_S / 2
    assert process.returncode == code
    assert stderr == f"framelift: interrupted by {name}; no output was left behind\n"
    assert names(tmp_path) == ["clip.mp4"]


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ([], "2 finished files are kept, run the same command again to continue"),
        (
            ["--overwrite"],
            "2 finished files are kept; the same command makes them again, without --overwrite it "
            "skips what is there",
        ),
        (["--resume"], "2 finished files are kept, run the same command again to continue"),
    ],
)
def test_an_interrupted_folder_says_what_is_kept_and_goes_on(
    tmp_path: Path, nearest_model_path: Path, options: list[str], kept: str
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        image(folder / name)
    write_clip(folder / "c.mp4", 40)
    with slow_run(folder, out, nearest_model_path, STUCK_S, *options) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "five\n"
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert stderr == f"framelift: interrupted by Ctrl-C; {kept}\n"
    # With --resume, what there is of the video is kept, too.
    unfinished = {".c.mp4.framelift"} if "--resume" in options else set()
    assert set(names(out)) - unfinished == {"a.png", "b.png"}
    again = run(folder, out, "--model", nearest_model_path, *options)
    assert again.exit_code == 0
    assert ("2 already there" in again.stderr) == (options != ["--overwrite"])
    assert names(out) == ["a.png", "b.png", "c.mp4"]
