"""What a model must be before it is written. All of it raises ExportError."""

from __future__ import annotations

import onnx

from ..common.errors import ExportError
from ..common.notes import Say
from ..common.text import one_line
from ..runtime.models.tensors import all_tensors, not_finite
from .check.node_rules import tensorrt_problems
from .check.typed_graph import TypedGraph
from .parity.sizes import Sizes

MAX_VALUES = 2**31 - 1


def require_addressable(sizes: Sizes, scale: int) -> None:
    """Refuse fixed sizes beyond what TensorRT counts in 31 bits and the gate could ever run."""
    batch, height, width = (size or 1 for size in sizes.shape)
    if 3 * batch * height * width * scale**2 > MAX_VALUES:
        raise ExportError(
            f"{batch} × {height}x{width}: the upscaled frames have more than 2^31 values, too many "
            "for one run; leave the sizes open, and large frames are run in tiles"
        )


def require_valid(model: onnx.ModelProto) -> None:
    """Refuse what ONNX's own checker refuses."""
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"ONNX's checker refuses the model: {one_line(error)}") from error


def require_finite(model: onnx.ModelProto) -> None:
    """Refuse weights that the gate's frames did not show, and those beyond what float16 holds."""
    for tensor in all_tensors(model):
        if found := not_finite(tensor):
            raise ExportError(
                f"the model's weights contain {found} (tensor {tensor.name!r}); nothing was written"
            )


def require_portable(model: onnx.ModelProto, targets: tuple[str, ...], say: Say) -> None:
    """Refuse what a target's parser does not take; say what is risky in it."""
    graph = TypedGraph(model)
    for target in targets:
        if not target.startswith("tensorrt"):
            continue  # the gate ran it on ONNX Runtime
        for found in tensorrt_problems(graph, target):
            line = f"{target}: {found.where}: {found.problem}; {found.remedy}"
            if found.is_error:
                raise ExportError(f"{line}, or leave this target out; nothing was written")
            say(line)
