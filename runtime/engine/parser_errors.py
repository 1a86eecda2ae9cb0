"""What TensorRT's ONNX parser complains about, as one line that names the nodes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_SHOWN = 3

# What surrounds the words of a complaint: an assertion's condition, the node again, where in
# TensorRT's source it was found.
_FORMS = (
    re.compile(r"Assertion failed: (.*)"),
    re.compile(r"Invalid Node - \S+ (.*)"),
    re.compile(r"(?:\w+::\w+: )?Error Code \d+: [\w ]+ \((.*)\)"),
    re.compile(r"(.*?)\.? In \S+(?: \S+)? at /\S+:\d+"),
    re.compile(r'.* && "(.*)"'),
    re.compile(r".*[)\w] ?(?:[=<>]=? ?\S+)?: ([A-Z`].*)"),
)


@dataclass(frozen=True)
class ParserProblem:
    """One complaint. `node` and `operator` are "" where the parser names none."""

    node: str
    operator: str
    code: str
    text: str

    def reason(self) -> str:
        """What is wrong, in the parser's words."""
        return _tidy(self.text)

    def line(self) -> str:
        """`node 'up' (Resize): what is wrong [UNSUPPORTED_NODE]`."""
        where = f"node {self.node!r}" if self.node else "the graph"
        operator = f" ({self.operator})" if self.operator else ""
        return f"{where}{operator}: {self.reason()} [{self.code}]"


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
    """What is wrong, without the source text around it and without line breaks."""
    # A library without a driver adds that to every complaint.
    words = " ".join(text.partition("[checkMacros.cpp::catchCudaError")[0].split()).rstrip(". ")
    if words == "false":  # all that is said of an operator that has no importer
        return "TensorRT does not take this operator"
    for form in _FORMS:
        if match := form.fullmatch(words):
            words = match[1].strip()
    return words.replace('" "', "").rstrip(".! ") or "no description"
