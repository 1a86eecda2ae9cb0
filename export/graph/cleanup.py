"""Constant folding and removal of what nothing reads, by onnxscript's optimizer."""

from __future__ import annotations

import onnx

from .quiet import quiet_exporter
from .rewrite import strip_notes


def clean_up(model: onnx.ModelProto) -> onnx.ModelProto:
    """An equal model without foldable or dead nodes, nor the optimizer's notes; shapes inferred.

    The caller compares it with the network again. Metadata of the model is kept.
    """
    from onnxscript import optimizer

    with quiet_exporter():
        cleaned: onnx.ModelProto = optimizer.optimize(model)
    strip_notes(cleaned.graph.node)
    for value in cleaned.graph.value_info:
        del value.metadata_props[:]
    for tensor in cleaned.graph.initializer:
        del tensor.metadata_props[:]
        tensor.ClearField("doc_string")
    del cleaned.graph.metadata_props[:]
    return cleaned
