"""Exact rewrites of a network's graph before it is given the frame contract."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import helper

from ...runtime.models.graph import Graph, attributes


def strip_notes(nodes: Iterable[onnx.NodeProto]) -> None:
    """Remove the exporter's notes from nodes: stack traces with paths of the exporting machine."""
    for node in nodes:
        del node.metadata_props[:]
        node.ClearField("doc_string")


def nearest_skip_before_shuffle(graph: Graph, scale: int) -> bool:
    """Turn shuffle(x) + nearest(input) into shuffle(x + each input channel repeated).

    Equal, since a pixel shuffle puts the s² repeats of a channel where nearest-neighbour puts
    copies of its pixel. All arithmetic is then at low resolution, and the shuffle is last. Changes
    the graph and returns True only if it ends that way.
    """
    last = graph.producer(graph.output)
    if last is None or last.op_type != "Add":
        return False
    producers = [graph.producer(name) for name in last.input]
    shuffle = next((n for n in producers if n is not None and n.op_type == "DepthToSpace"), None)
    resize = next((n for n in producers if n is not None and n.op_type == "Resize"), None)
    if shuffle is None or resize is None:
        return False
    if not _shuffles(graph, shuffle, last, scale) or not _repeats(graph, resize, last, scale):
        return False
    repeat = np.repeat(np.eye(3, dtype=np.float32), scale * scale, axis=0)
    graph.set_constant("repeat.weight", repeat[:, :, None, None])
    for node in (shuffle, resize, last):
        graph.nodes.remove(node)
    graph.nodes += [
        helper.make_node(
            "Conv", [graph.input, "repeat.weight"], ["repeated"], "repeat", kernel_shape=[1, 1]
        ),
        helper.make_node("Add", [shuffle.input[0], "repeated"], ["packed_sum"], "skip"),
        helper.make_node(
            "DepthToSpace", ["packed_sum"], [graph.output], "shuffle", blocksize=scale, mode="CRD"
        ),
    ]
    return True


def _shuffles(graph: Graph, node: onnx.NodeProto, reader: onnx.NodeProto, scale: int) -> bool:
    found = attributes(node)
    right = (found.get("blocksize"), found.get("mode")) == (scale, b"CRD")
    return right and graph.only_for(node.output[0], reader)


def _repeats(graph: Graph, node: onnx.NodeProto, reader: onnx.NodeProto, scale: int) -> bool:
    found = attributes(node)
    modes = ("mode", "nearest_mode", "coordinate_transformation_mode")
    if tuple(found.get(key) for key in modes) != (b"nearest", b"floor", b"asymmetric"):
        return False
    if node.input[0] != graph.input or not graph.only_for(node.output[0], reader):
        return False
    factors = graph.constants.get(node.input[2]) if len(node.input) == 3 else None
    return factors is not None and factors.tolist() == [1, 1, scale, scale]
