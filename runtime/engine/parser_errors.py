"""What TensorRT's ONNX parser complains about, as one line that names the nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_SHOWN = 3


@dataclass(frozen=True)
class ParserProblem:
    """One complaint. `node` and `operator` are "" where the parser names none."""

    node: str
    operator: str
    code: str
    text: str

    def line(self) -> str:
        """`node 'up' (Resize): what is wrong [UNSUPPORTED_NODE]`."""
        where = f"node {self.node!r}" if self.node else "the graph"
        operator = f" ({self.operator})" if self.operator else ""
        return f"{where}{operator}: {_tidy(self.text)} [{self.code}]"


def parser_message(
    library: str, model: str, problems: Sequence[ParserProblem], remedy: str | None = None
) -> str:
    """One line about all problems, the first few in full, each once, and the remedy.

    `library` is its name and version, such as "TensorRT 11.4".
    """
    lines = list(dict.fromkeys(problem.line() for problem in problems))
    shown = "; ".join(lines[:_SHOWN]) or "it gives no reason"
    more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    remedy = remedy or f"run `framelift check {model}` for the remedy"
    return f"{library} cannot take {model}: {shown}{more}; {remedy}"


def _tidy(text: str) -> str:
    """Without line breaks, and without what a library without a driver adds to every complaint."""
    words = " ".join(text.partition("[checkMacros.cpp::catchCudaError")[0].split()).rstrip(". ")
    if words == "false":  # all that is said of an operator that has no importer
        return "TensorRT does not take this operator"
    return words or "no description"
