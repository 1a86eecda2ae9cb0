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


def parser_message(tensorrt: str, model: str, problems: Sequence[ParserProblem]) -> str:
    """One line about all problems; the first few in full, each once."""
    lines = list(dict.fromkeys(problem.line() for problem in problems))
    shown = "; ".join(lines[:_SHOWN]) or "it gives no reason"
    more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return (
        f"TensorRT {tensorrt} cannot take {model}: {shown}{more}; run `framelift check {model}` "
        "for the remedy"
    )


def _tidy(text: str) -> str:
    """Without line breaks, and without the assertion's source text that some releases add."""
    words = " ".join(text.split()).rstrip(". ")
    return words or "no description"
