"""Operations and bytes of one call, counted from the ONNX graph at given sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import onnx

from ...common.errors import ModelError

# These move or rename values without computing.
_FREE = frozenset(
    {"Cast", "Concat", "Constant", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity"}
    | {"QuantizeLinear", "DequantizeLinear"}
    | {"Pad", "Reshape", "Shape", "Slice", "SpaceToDepth", "Split", "Squeeze", "Transpose"}
    | {"Unsqueeze"}
)


@dataclass(frozen=True)
class NodeCost:
    """One operator: multiply-accumulates, other operations (one per value made), bytes read and
    written when every tensor comes from memory and goes back there.
    """

    op_type: str
    macs: int
    other_operations: int
    bytes_moved: int

    @property
    def operations(self) -> int:
        """A multiply-accumulate counts as two."""
        return 2 * self.macs + self.other_operations


@dataclass(frozen=True)
class GraphCost:
    """A whole network. `frame_bytes` are its input and output, `weight_bytes` its constants."""

    nodes: tuple[NodeCost, ...]
    frame_bytes: int
    weight_bytes: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return sum(node.macs for node in self.nodes)

    @property
    def operations(self) -> int:
        """All operations, a multiply-accumulate being two."""
        return sum(node.operations for node in self.nodes)

    @property
    def least_bytes(self) -> int:
        """What must be moved even if nothing in between ever reaches memory."""
        return self.frame_bytes + self.weight_bytes

    @property
    def layer_bytes(self) -> int:
        """What is moved when every operator reads and writes memory."""
        return sum(node.bytes_moved for node in self.nodes)


def count(model: onnx.ModelProto, batch: int, height: int, width: int) -> GraphCost:
    """Count a framelift model (input N×H×W×3) on `batch` frames; the model is left as it is.

    Q/DQ pairs cost nothing and what lies between them and other operators counts as codes, since
    engines fuse them into the operators.

    Raises ModelError when the size of a tensor cannot be inferred.
    """
    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    fix_shape(sized, (batch, height, width, 3))
    graph = onnx.shape_inference.infer_shapes(sized, data_prop=True).graph
    values = {
        value.name: value.type.tensor_type
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    shapes = {name: tuple(dim.dim_value for dim in t.shape.dim) for name, t in values.items()}
    sizes = {name: math.prod(shapes[name]) * _itemsize(t.elem_type) for name, t in values.items()}
    weights = {tensor.name: tensor for tensor in graph.initializer}
    coded = {n.output[0] for n in graph.node if n.op_type == "DequantizeLinear"}
    coded |= {n.input[0] for n in graph.node if n.op_type == "QuantizeLinear"}
    coded |= {n.input[0] for n in graph.node if n.op_type == "Relu" and n.output[0] in coded}
    sizes |= {name: math.prod(shapes[name]) for name in coded if name in shapes}
    shapes |= {name: tuple(tensor.dims) for name, tensor in weights.items()}
    sizes |= {
        name: math.prod(tensor.dims) * _itemsize(tensor.data_type)
        for name, tensor in weights.items()
    }
    frame_bytes = sizes[graph.input[0].name] + sizes[graph.output[0].name]
    weight_bytes = sum(sizes[name] for name in weights)
    nodes = tuple(_cost(node, shapes, sizes) for node in graph.node)
    return GraphCost(nodes, frame_bytes, weight_bytes)


def fix_shape(model: onnx.ModelProto, shape: tuple[int, ...]) -> None:
    """Give the only input of `model` this shape and forget the output's."""
    dims = model.graph.input[0].type.tensor_type.shape.dim
    for dim, size in zip(dims, shape, strict=True):
        dim.Clear()
        dim.dim_value = size
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]


def _cost(
    node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]], sizes: Mapping[str, int]
) -> NodeCost:
    touched = [name for name in (*node.input, *node.output) if name]
    unknown = [name for name in node.output if name and not sizes.get(name)]
    if unknown and node.op_type != "Constant":
        raise ModelError(
            f"operations cannot be counted: the size of {unknown[0]} ({node.op_type}) is unknown"
        )
    fused = node.op_type in ("QuantizeLinear", "DequantizeLinear")
    moved = 0 if fused else sum(sizes.get(name, 0) for name in touched)
    macs = _macs(node, shapes)
    made = math.prod(shapes[node.output[0]]) if node.output[0] in shapes else 0
    others = 0 if macs or node.op_type in _FREE else made
    return NodeCost(node.op_type, macs, others, moved)


def _macs(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Multiply-accumulates of a convolution or matrix product; 0 for everything else."""
    position = {"ConvInteger": 1, "Conv": 1, "ConvTranspose": 1, "QLinearConv": 3}
    if node.op_type in position:
        weight = shapes[node.input[position[node.op_type]]]
        # Each weight's column is used once per output pixel (of the input, when transposed).
        pixels = shapes[node.input[0] if node.op_type == "ConvTranspose" else node.output[0]]
        return pixels[0] * math.prod(pixels[2:]) * math.prod(weight)
    if node.op_type in ("MatMul", "MatMulInteger", "Gemm"):
        inner = shapes[node.input[0]][0 if _is_transposed(node) else -1]
        return math.prod(shapes[node.output[0]]) * inner
    return 0


def _is_transposed(node: onnx.NodeProto) -> bool:
    return any(item.name == "transA" and item.i for item in node.attribute)


def _itemsize(elem_type: int) -> int:
    return int(onnx.helper.tensor_dtype_to_np_dtype(elem_type).itemsize)
