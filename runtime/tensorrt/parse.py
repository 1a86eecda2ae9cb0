"""Parses an ONNX file with TensorRT; its errors become one line that names the nodes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...common.errors import ModelError
from ..models.file import ModelSpec
from ..models.int8_form import form_problem
from .bindings.entry import Entry

if TYPE_CHECKING:
    import tensorrt

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
class Parsed:
    """A network, or what the parser complains about, with what has to live as long as it does.

    The bindings let a network keep its parser alive, and with it the weights, but not a parser its
    network: a parser whose network is gone ends the process.
    """

    network: tensorrt.INetworkDefinition
    parser: tensorrt.OnnxParser
    problems: tuple[ParserProblem, ...]


def parse_model(entry: Entry, builder: tensorrt.Builder, spec: ModelSpec) -> Parsed:
    """Parse a model. Raises ModelError naming nodes and remedy if TensorRT cannot take it."""
    parsed = parse(entry, builder, spec.path, spec.data)
    if parsed.problems:
        remedy = form_problem(spec)
        raise ModelError(
            parser_message(str(entry.library), str(spec.path), parsed.problems, remedy)
        )
    return parsed


def parse(entry: Entry, builder: tensorrt.Builder, path: Path, data: bytes) -> Parsed:
    """Parse any ONNX file, of which `data` was read, into a network of `builder`."""
    network, parser = _empty(entry, builder)
    if parser.parse(data, str(path.resolve())):
        return Parsed(network, parser, ())
    # Some releases stop parsing at the first node that they do not take, so all are asked for. The
    # question fills the network that it is asked about: it needs one of its own.
    asked, questioned = _empty(entry, builder)
    questioned.supports_model_v2(data, str(path.resolve()))
    problems = dict.fromkeys((*_problems(parser), *_problems(questioned)))
    del asked  # until here, its parser needs it
    return Parsed(network, parser, tuple(problems))


def _empty(
    entry: Entry, builder: tensorrt.Builder
) -> tuple[tensorrt.INetworkDefinition, tensorrt.OnnxParser]:
    network = builder.create_network(entry.library.network_flags)
    parser: tensorrt.OnnxParser = entry.library.trt.OnnxParser(network, entry.log)
    return network, parser


def _problems(parser: tensorrt.OnnxParser) -> list[ParserProblem]:
    errors: list[tensorrt.ParserError] = [
        parser.get_error(index) for index in range(parser.num_errors)
    ]
    return [
        ParserProblem(
            error.node_name(), error.node_operator(), _code_name(error.code()), error.desc()
        )
        for error in errors
    ]


def _code_name(code: tensorrt.ErrorCode) -> str:
    return str(code.name)


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
    if words == "false":  # all that TensorRT says of an operator without an importer
        return "TensorRT does not take this operator"
    for form in _FORMS:
        if match := form.fullmatch(words):
            words = match[1].strip()
    return words.replace('" "', "").rstrip(".! ") or "no description"
