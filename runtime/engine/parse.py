"""Hands an ONNX file to TensorRT's parser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .library import Library
from .parser_errors import ParserProblem

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


def parse(
    library: Library, builder: tensorrt.Builder, log: tensorrt.ILogger, data: bytes, path: Path
) -> Parsed:
    """Parse the ONNX file `data`, which was read from `path`, into a network of `builder`."""
    network = builder.create_network(library.network_flags)
    parser: tensorrt.OnnxParser = library.trt.OnnxParser(network, log)
    if parser.parse(data, str(path.resolve())):
        return Parsed(network, parser, ())
    problems = _problems(parser) + _unsupported(library, builder, log, data, path)
    return Parsed(network, parser, tuple(dict.fromkeys(problems)))


def _unsupported(
    library: Library, builder: tensorrt.Builder, log: tensorrt.ILogger, data: bytes, path: Path
) -> list[ParserProblem]:
    """All nodes that are not taken, while some releases stop parsing at the first.

    The question fills the network that it is asked about, so it needs a network of its own.
    """
    network = builder.create_network(library.network_flags)
    parser: tensorrt.OnnxParser = library.trt.OnnxParser(network, log)
    parser.supports_model_v2(data, str(path.resolve()))
    return _problems(parser)


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
