"""PyTorch network to a plain ONNX graph, before it is given the frame contract."""

from __future__ import annotations

import logging
import warnings

import onnx
import torch
from torch import nn

from ..imaging.errors import ExportError


def export_core(network: nn.Module, opset: int) -> onnx.ModelProto:
    """Export `network` (float N×3×H×W in and out; N, H, W dynamic) with torch's dynamo exporter.

    Raises ExportError if the exporter fails or ends at another opset.
    """
    # Sizes above 1 and unequal, so that the exporter specialises none of them.
    example = torch.rand(2, 3, 24, 32)
    axes = {
        0: torch.export.Dim("batch"),
        2: torch.export.Dim("height"),
        3: torch.export.Dim("width"),
    }
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the exporter's own internals
            program = torch.onnx.export(
                network, (example,), dynamo=True, opset_version=opset, dynamic_shapes=(axes,),
                input_names=["input"], output_names=["output"], external_data=False, verbose=False,
            )  # fmt: skip
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        raise ExportError(
            f"PyTorch's ONNX exporter failed: {str(error).splitlines()[0]}"
        ) from error
    finally:
        logger.setLevel(level)
    assert program is not None
    model = program.model_proto
    written = {entry.domain: entry.version for entry in model.opset_import}
    if written.get("") != opset:
        raise ExportError(
            f"opset {opset}: the exporter could only write {written.get('')}; ask for that one"
        )
    return model
