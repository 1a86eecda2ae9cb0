"""`python -m framelift.runtime.tensorrt.ask MODEL`: what the parser of TensorRT for RTX says of it.

In a process of its own, since a parser may end on a file that it was not made for. Needs no GPU.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import astuple, dataclass
from pathlib import Path

from ...common.errors import BackendError, FrameliftError
from .parse import ParserProblem

_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Answer:
    """Who was asked, by name and version, and what it does not take; nothing if it takes all."""

    library: str
    problems: tuple[ParserProblem, ...]


def ask_parser(model: Path) -> Answer:
    """Let the parser of TensorRT for RTX read any ONNX file.

    A file that ends the parser is one that it does not take.

    Raises BackendError if the library cannot be loaded.
    """
    command = [sys.executable, "-m", __name__, str(model)]
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return _ended(f"did not end within {_TIMEOUT_S:g} s")
    except OSError as error:
        raise BackendError(f"the parser's process cannot be started: {error.strerror}") from error
    if child.returncode < 0:
        return _ended(f"ended with {signal.Signals(-child.returncode).name}")
    try:
        answer = json.loads(child.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError) as error:
        lines = child.stderr.strip().splitlines() or [f"exit code {child.returncode}"]
        raise BackendError(f"the parser's process failed: {lines[-1]}") from error
    if "error" in answer:
        raise BackendError(answer["error"])
    problems = tuple(ParserProblem(*problem) for problem in answer["problems"])
    return Answer(answer["library"], problems)


def _ended(how: str) -> Answer:
    return Answer("TensorRT for RTX", (ParserProblem("", "", "CRASH", f"the parser {how}"),))


def _answer(model: Path) -> dict[str, object]:
    from .bindings.entry import Entry
    from .bindings.rtx import load_rtx
    from .parse import parse

    try:
        entry = Entry(load_rtx())
        parsed = parse(entry, entry.builder(), model, model.read_bytes())
    except FrameliftError as error:
        return {"error": str(error)}
    except OSError as error:
        return {"error": f"{model}: cannot be read ({error.strerror})"}
    return {"library": str(entry.library), "problems": [astuple(one) for one in parsed.problems]}


def main(argv: list[str]) -> None:
    (model,) = argv
    sys.stdout.write(json.dumps(_answer(Path(model))) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
