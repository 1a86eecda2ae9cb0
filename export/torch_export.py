"""PyTorch network to a plain ONNX graph, before it is given the frame contract."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from ..common.errors import ExportError
from ..common.text import first_line
from .graph.quiet import quiet_exporter
from .parity.sizes import Sizes


def export_core(network: nn.Module, opset: int, sizes: Sizes | None = None) -> onnx.ModelProto:
    """Export `network` (float N×3×H×W in and out) with torch's dynamo exporter.

    Raises ExportError if the exporter fails or ends at another opset.
    """
    sizes = sizes or Sizes()
    try:
        with quiet_exporter(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the exporter's own internals
            program = torch.onnx.export(
                network,
                (_example(sizes),),
                dynamo=True,
                opset_version=opset,
                dynamic_shapes=(_dynamic_axes(sizes),),
                input_names=["input"],
                output_names=["output"],
                external_data=False,
                verbose=False,
                custom_translation_table={
                    torch.ops.aten.pixel_unshuffle.default: _unshuffle,
                    torch.ops.aten.sort.stable: _stable_sort,
                },
            )
    except Exception as error:  # it runs the network's own code, which may raise anything
        raise ExportError(f"PyTorch's ONNX exporter failed: {_reason(error)}") from error
    assert program is not None
    model = program.model_proto
    written = {entry.domain: entry.version for entry in model.opset_import}
    if written.get("") != opset:
        raise ExportError(
            f"opset {opset}: the exporter could only write {written.get('')}; ask for that one"
        )
    return model


def _example(sizes: Sizes) -> torch.Tensor:
    """A float N×3×H×W input whose dynamic sizes are above 1 and unequal: no special cases."""
    least = -(-max(24, sizes.minimum) // sizes.multiple) * sizes.multiple
    height = sizes.height or least
    width = sizes.width or least + 8 * sizes.multiple
    return torch.rand(sizes.batch or 2, 3, height, width)


def _dynamic_axes(sizes: Sizes) -> dict[int, Any]:
    """What torch.export is to leave open."""
    axes: dict[int, Any] = {}
    if sizes.batch is None:
        axes[0] = torch.export.Dim("batch")
    for axis, name in ((2, "height"), (3, "width")):
        if getattr(sizes, name) is None:
            least = max(1, -(-sizes.minimum // sizes.multiple))
            side = torch.export.Dim(name, min=least)
            axes[axis] = sizes.multiple * side if sizes.multiple > 1 else side
    return axes


def _unshuffle(x: Any, block: int) -> Any:  # noqa: ANN401
    """Pixel unshuffle as one strided convolution.

    The exporter's own translation is a chain of 17 shape computations when sizes are dynamic.
    """
    from onnxscript import opset18

    channels = int(x.shape[1])
    picks = np.tile(np.eye(block * block, dtype=np.float32), (channels, 1))
    weight = opset18.Constant(
        value=onnx.numpy_helper.from_array(picks.reshape(-1, 1, block, block), "picks")
    )
    return opset18.Conv(
        x, weight, group=channels, kernel_shape=[block, block], strides=[block, block]
    )


def _stable_sort(
    x: Any,  # noqa: ANN401
    stable: bool | None = None,
    dim: int = -1,
    descending: bool = False,
) -> Any:  # noqa: ANN401
    """Sorting by TopK, in which of equal values the one with the lower index comes first."""
    from onnxscript import opset18

    del stable
    axis: Any = opset18.Constant(value_ints=[dim])
    sizes: Any = opset18.Shape(x)
    length = opset18.Gather(sizes, axis)
    return opset18.TopK(x, length, axis=dim, largest=int(descending), sorted=1)


def _reason(error: Exception) -> str:
    """The innermost cause's first line; the exporter wraps it in pages of advice."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return first_line(cause)
