"""How much memory a network takes per input pixel, and how much it may take."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..machine.host import available_memory_bytes

if TYPE_CHECKING:
    import onnx

# Estimate shapes on a frame of about this side; large enough that borders do not matter.
_SIDE = 64

# Of what is free, how much activations may take: engines round up and need scratch, frames have
# buffers, and other programs want some, too.
_GPU_SHARE, _HOST_SHARE = 2, 4

# No tensor then has 2³¹ values, beyond which libraries on GPUs count wrong: the two bytes of a half
# precision value are alive beside the one of its code, of which a frame is made.
_MOST_ON_GPU_BYTES = 4 << 30

# More would hardly be faster on a processor: with this, the shipped real-time models compute at
# most 1.6 % of a 3840×2160 frame twice, where tiles overlap.
_MOST_ON_HOST_BYTES = 1280 << 20


def activation_budget(gpu_free_bytes: int | None) -> int:
    """How many bytes the activations of what is run at once may take.

    `gpu_free_bytes` is what is free of the GPU's memory; None for a processor, for which that of
    the machine counts.
    """
    if gpu_free_bytes is not None:
        return min(gpu_free_bytes // _GPU_SHARE, _MOST_ON_GPU_BYTES)
    available = available_memory_bytes()
    if available is None:
        return _MOST_ON_HOST_BYTES
    return min(available // _HOST_SHARE, _MOST_ON_HOST_BYTES)


def activation_bytes_per_pixel(model: onnx.ModelProto, size_multiple: int) -> int:
    """Peak bytes of the tensors alive at once, per pixel of the input, at the graph's own dtypes.

    An engine's rounding and scratch come on top: ONNX Runtime's CPU provider was measured to take
    1.2 to 1.4 times this in all.
    """
    side = math.ceil(_SIDE / size_multiple) * size_multiple
    inferred = sized(model, (1, side, side))
    dims = inferred.input[0].type.tensor_type.shape.dim
    pixels = math.prod(int(dim.dim_value) for dim in dims[:3])
    sizes = {
        value.name: _bytes(value)
        for value in (*inferred.input, *inferred.value_info, *inferred.output)
        if value.type.HasField("tensor_type")  # lists hold tensors that were counted before
    }
    return max(1, peak_bytes(inferred, sizes) // pixels)


def sized(model: onnx.ModelProto, shape: tuple[int, int, int]) -> onnx.GraphProto:
    """The graph for frames of (N, H, W), where these are not fixed, its shapes inferred again."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    dims = copy.graph.input[0].type.tensor_type.shape.dim
    for dim, size in zip(dims, (*shape, 3), strict=True):
        if not dim.HasField("dim_value"):
            dim.dim_value = size
    del copy.graph.value_info[:]
    for output in copy.graph.output:
        output.type.tensor_type.ClearField("shape")
    return onnx.shape_inference.infer_shapes(copy).graph


def peak_bytes(graph: onnx.GraphProto, sizes: dict[str, int]) -> int:
    """The most bytes alive at once when nodes run in order and tensors are freed after use."""
    last_use = {name: index for index, node in enumerate(graph.node) for name in node.input}
    alive = {value.name for value in graph.input if value.name in sizes}
    peak = 0
    for index, node in enumerate(graph.node):
        alive.update(name for name in node.output if name in sizes)
        peak = max(peak, sum(sizes[name] for name in alive))
        alive -= {name for name in alive if last_use.get(name, index + 1) <= index}
    return peak


def _bytes(value: onnx.ValueInfoProto) -> int:
    import onnx

    if not value.type.HasField("tensor_type"):  # a sequence, of tensors that are counted
        return 0
    tensor = value.type.tensor_type
    item = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).itemsize
    return int(item * math.prod(dim.dim_value for dim in tensor.shape.dim))
