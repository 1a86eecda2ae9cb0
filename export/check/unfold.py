"""A model without functions of its own: each call replaced by what the function does."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import onnx

from ...common.text import one_line
from ...runtime.models.tensors import all_nodes

MAX_NODES = 200_000
"""Functions that call others twice each grow beyond any memory in a few lines."""

Name = tuple[str, str]


def unfolded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its functions unfolded; functions of another opset stay calls.

    Raises ValueError, with the reason, for functions that call themselves, that grow beyond
    `MAX_NODES`, or that ONNX cannot unfold.
    """
    if not model.functions:
        return model
    if _unfolded_size(model) > MAX_NODES:
        raise ValueError(f"its functions unfold to more than {MAX_NODES:,} nodes")
    import onnx.inliner

    try:
        return onnx.inliner.inline_local_functions(model)
    except Exception as error:  # onnx's C++ parts raise what they like
        raise ValueError(f"its functions cannot be unfolded ({one_line(error, 200)})") from error


def _unfolded_size(model: onnx.ModelProto) -> int:
    """How many nodes the graph has when all calls are unfolded."""
    functions = {(function.domain, function.name): function for function in model.functions}
    open_calls: set[Name] = set()

    @cache
    def size_of(name: Name) -> int:
        if name in open_calls:
            raise ValueError(f"its function {name[1]!r} calls itself")
        open_calls.add(name)
        size = _sum_of(functions[name], size_of)
        open_calls.discard(name)
        return size

    def _sum_of(part: onnx.GraphProto | onnx.FunctionProto, inner: Callable[[Name], int]) -> int:
        called = [(node.domain, node.op_type) for node in all_nodes(part)]
        return sum(inner(name) if name in functions else 1 for name in called)

    try:
        return _sum_of(model.graph, size_of)
    except RecursionError as error:
        raise ValueError("its functions call each other too deep") from error
