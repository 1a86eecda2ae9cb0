"""Names of a foreign graph's values and nodes."""

from __future__ import annotations

from collections.abc import Iterator

import onnx


def prefix_names(graph: onnx.GraphProto, prefix: str) -> None:
    """Give every name a prefix, of values and nodes, in graphs inside nodes too.

    The frame contract's own names are then free.
    """
    for part in _graphs(graph):
        for value in (*part.input, *part.output, *part.value_info, *part.initializer):
            value.name = prefix + value.name
        for node in part.node:
            node.name = prefix + node.name if node.name else ""
            for names in (node.input, node.output):
                renamed = [prefix + name if name else "" for name in names]
                del names[:]
                names.extend(renamed)


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _graphs(inner)
