"""Larger strokes from a style: the picture is painted smaller, and enlarged inside the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from ..common.cache_folder import made_cache_folder
from ..common.errors import ConfigError, FrameliftError
from ..common.files import write_atomic
from ..runtime.models.digest import PREFIX, seal
from ..runtime.models.file import ModelSpec, load, read_spec
from ..runtime.models.graph import Graph


def with_stroke_size(spec: ModelSpec, size: int) -> ModelSpec:
    """The model whose strokes are `size` times as large, made once and kept in the cache folder.

    Raises ConfigError for a graph that is not of the form that Framelift exports, and OutputError
    if the cache folder cannot be written.
    """
    if size == 1:
        return spec
    folder = made_cache_folder("strokes", "for --style-size")
    target = folder / f"{Path(spec.path).stem[:100]}-strokes{size}-{spec.sha256[:16]}.onnx"
    if target.exists():
        try:
            return read_spec(target)
        except FrameliftError:
            pass  # damaged: made again
    _, model = load(spec.path)
    write_atomic(target, enlarged(model, size).SerializeToString())
    return read_spec(target)


def enlarged(model: onnx.ModelProto, size: int) -> onnx.ModelProto:
    """A copy of a style model that shrinks its frames by `size`, by means over squares, before the
    network, and enlarges its output by bicubic interpolation.

    Raises ConfigError for a graph that does not begin and end as Framelift's exports do.
    """
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = Graph(changed.graph)
    first, last = _planes_in(graph), _planes_out(graph)
    if first is None or last is None:
        raise ConfigError(
            f"--style-size {size}: the graph of this model does not begin and end as those that "
            "Framelift exports; leave the option out"
        )
    small, large = "strokes_small", "strokes_large"
    graph.replace_uses(first.output[0], small)
    sides = [size, size]
    at = graph.nodes.index(first) + 1
    pool = helper.make_node(
        "AveragePool", [first.output[0]], [small], kernel_shape=sides, strides=sides
    )
    graph.nodes.insert(at, pool)
    scales = graph.set_constant("strokes_scales", np.array([1, 1, size, size]))
    resize = helper.make_node("Resize", [last.input[0], "", scales], [large], mode="cubic")
    last.input[0] = large
    graph.nodes.insert(graph.nodes.index(last), resize)
    graph.write_to(changed.graph)
    entries = {entry.key: entry.value for entry in changed.metadata_props}
    for key in ("size_multiple", "minimum_side"):
        entries[PREFIX + key] = str(int(entries[PREFIX + key]) * size)
    entries[PREFIX + "name"] += f" (strokes ×{size})"
    del changed.metadata_props[:]
    helper.set_model_props(changed, entries)
    seal(changed)
    return changed


def _planes_in(graph: Graph) -> onnx.NodeProto | None:
    """The node whose output are the frames as N×3×H×W."""
    cast = graph.reader(graph.input, "Cast")
    return None if cast is None else graph.reader(cast.output[0], "Transpose")


def _planes_out(graph: Graph) -> onnx.NodeProto | None:
    """The node that clips N×3×H×W to code values, from which the frames come."""
    name = graph.output
    for operator in ("Cast", "Transpose", "Floor"):
        node = graph.producer(name, operator)
        if node is None:
            return None
        name = node.input[0]
    return graph.producer(name, "Clip")
