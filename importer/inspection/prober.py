"""Tries sizes in a child process, since those that a file was not made for may end the process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from ...common.closing import Closing
from ...runtime.ort.library import load_onnxruntime
from .foreign import Foreign
from .session import refused

_CHILD = Path(__file__).with_name("child.py")


class Prober(Closing):
    """Says what shape comes out of the file for a height and a width; a context manager."""

    def __init__(self, foreign: Foreign, window: int) -> None:
        """`window` is the number of frames given at once. Raises ModelError if ONNX Runtime
        refuses the file, and what `load_onnxruntime` raises.
        """
        self._version = load_onnxruntime().__version__
        self._path = foreign.path
        channels = foreign.channels
        leading = [1, window, channels] if foreign.is_sequence else [1, window * channels]
        self._facts = json.dumps(
            {
                "path": str(foreign.path.resolve()),
                "input": foreign.input,
                "output": foreign.output,
                "leading": leading,
                "dtype": foreign.dtype.__name__,
            }
        )
        self._process: subprocess.Popen[str] | None = None

    def output_shape(self, height: int, width: int) -> tuple[int, ...] | str:
        """Of a run on noise; or why there is none. Raises ModelError as on construction."""
        process = self._process or self._start()
        answer = self._ask(process, f"{height} {width}\n")
        if "shape" in answer:
            return tuple(int(size) for size in answer["shape"])
        return str(answer["error"])

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-P", str(_CHILD), self._facts]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        answer = self._ask(self._process, "")
        if "refused" in answer or "error" in answer:
            reason = answer.get("refused") or answer["error"]
            raise refused(self._path, self._version, reason)
        return self._process

    def _ask(self, process: subprocess.Popen[str], line: str) -> dict[str, Any]:
        """The next answer; an error if there is none, since the process has ended."""
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(line)
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if answer:
            found: dict[str, Any] = json.loads(answer)
            return found
        code = process.wait()
        self.close()
        how = f" ({signal.Signals(-code).name})" if code < 0 else ""
        return {"error": f"ONNX Runtime {self._version} crashes{how}"}

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        process.kill()  # it has nothing to lose
        process.wait()
