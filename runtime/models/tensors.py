"""The constants of an ONNX model: where they lie, and whether they are what a network can use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

_FLOATS = ("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16")


def all_nodes(graph: onnx.GraphProto | onnx.FunctionProto) -> Iterator[onnx.NodeProto]:
    """The nodes of a graph and of the graphs inside its nodes."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from all_nodes(attribute.g)
            for inner in attribute.graphs:
                yield from all_nodes(inner)


def all_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """The constants of a model: of its graph, of the graphs inside nodes, and of attributes."""
    yield from model.graph.initializer
    for part in (model.graph, *model.functions):
        for node in all_nodes(part):
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors
                for graph in (attribute.g, *attribute.graphs):
                    yield from graph.initializer


def values_of(tensor: onnx.TensorProto) -> NDArray[np.generic]:
    """A tensor's values. Raises ValueError if its data do not fill its shape, or are of no type."""
    from onnx import numpy_helper

    wrong = f"tensor {tensor.name!r}: its data do not fill its shape"
    try:
        values: NDArray[np.generic] = numpy_helper.to_array(tensor)
    except MemoryError:
        raise
    except Exception as error:  # TypeError, KeyError, OverflowError: each kind of damage its own
        raise ValueError(wrong) from error
    if list(values.shape) != list(tensor.dims):  # NumPy takes -1 for what is left
        raise ValueError(wrong)
    return values


def not_finite(tensor: onnx.TensorProto) -> str | None:
    """What a tensor of floats holds that no weight may be, "NaN" or "infinity"; None for nothing.

    A single infinite number is a limit or a mask, as of Clip and Where, and no weight. Raises
    ValueError as `values_of`.
    """
    from onnx import TensorProto

    values = values_of(tensor)
    if TensorProto.DataType.Name(tensor.data_type) not in _FLOATS:
        return None
    if bool(np.isfinite(values).all()):
        return None
    if bool(np.isnan(values).any()):
        return "NaN"
    return "infinity" if tensor.dims else None
