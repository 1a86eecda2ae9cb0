"""Hands an ONNX file to TensorRT's parser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...imaging.errors import ModelError
from ..int8_form import form_problem
from ..model_file import ModelSpec
from .entry import Entry
from .parser_errors import ParserProblem, parser_message

if TYPE_CHECKING:
    import tensorrt


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
    parsed = parse(entry, builder, spec.path)
    if parsed.problems:
        remedy = form_problem(spec)
        raise ModelError(
            parser_message(str(entry.library), str(spec.path), parsed.problems, remedy)
        )
    return parsed


def parse(entry: Entry, builder: tensorrt.Builder, path: Path) -> Parsed:
    """Parse any ONNX file into a network of `builder`. Raises OSError if it cannot be read."""
    data = path.read_bytes()
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
