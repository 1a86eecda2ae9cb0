"""What TensorRT's ONNX parser does not take, and what is risky in it, node by node."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import onnx

from ...runtime.models.graph import attributes
from .facts import facts
from .finding import Finding, label
from .node_limits import limit_problems
from .targets import RTX, target_window
from .typed_graph import TypedGraph

UINT8 = onnx.TensorProto.UINT8
INT64 = onnx.TensorProto.INT64
HALF = onnx.TensorProto.FLOAT16
DOUBLE = onnx.TensorProto.DOUBLE

_DATA_DEPENDENT = frozenset({"NonMaxSuppression", "NonZero", "Compress", "Unique", "Loop", "Scan"})
_NORMS = frozenset({"InstanceNormalization", "LayerNormalization", "GroupNormalization"})
_SHAPE_WORK = frozenset(
    {
        "Add",
        "Cast",
        "Concat",
        "Constant",
        "ConstantOfShape",
        "Div",
        "Equal",
        "Expand",
        "Floor",
        "Gather",
        "Identity",
        "Max",
        "Min",
        "Mod",
        "Mul",
        "Range",
        "Reshape",
        "Shape",
        "Size",
        "Slice",
        "Squeeze",
        "Sub",
        "Unsqueeze",
        "Where",
    }
)


def tensorrt_problems(graph: TypedGraph, target: str) -> list[Finding]:
    """Everything that keeps TensorRT from taking the graph, or may."""
    findings = []
    for node in graph.nodes:
        where = label(node)
        for is_error, problem, remedy in _operator(node, target):
            findings.append(Finding(is_error, (target,), where, problem, remedy))
        for rule in RULES:
            for is_error, problem, remedy in rule(graph, node):
                findings.append(Finding(is_error, (target,), where, problem, remedy))
    return findings


Problems = Iterator[tuple[bool, str, str]]

_FOR_GPUS = "use the model in fp16, or export it in int8 with --target tensorrt11 among the targets"

REMEDIES = {
    "QLinearConv": "quantise in Q/DQ form: framelift export --precision int8",
    "QLinearMatMul": "quantise in Q/DQ form",
    "ConvInteger": "quantise in Q/DQ form",
    "DynamicQuantizeLinear": "quantise statically: framelift export --precision int8",
}


def _operator(node: onnx.NodeProto, target: str) -> Problems:
    """What the parser's own table says of an operator. It knows no others: those are a risk."""
    table, name = facts().tensorrt, node.op_type
    if name in table.unsupported:
        remedy = REMEDIES.get(name, "export with other operators")
        yield True, "TensorRT's parser does not take it", remedy
    elif name in table.plugins and target.partition("==")[0] == RTX:
        yield True, "needs a plugin, and TensorRT for RTX has none", "export with other operators"
    elif name in table.restricted:
        yield (
            False,
            f"TensorRT's parser takes it with {table.restricted[name]} only",
            "build an engine on a machine with TensorRT to be sure, or export at opset 22 or lower",
        )
    elif name not in table.supported and not node.domain and onnx.defs.has(name):
        yield (
            False,
            f"is not known to {target_window(target).tool}: its table of operators lacks it",
            (
                "build an engine on a machine with TensorRT to be sure, or export at a lower "
                "opset without it"
            ),
        )


def _resize(graph: TypedGraph, node: onnx.NodeProto) -> Problems:
    if node.op_type != "Resize":
        return
    found = attributes(node)
    mode = found.get("mode", b"nearest").decode()
    transform = found.get("coordinate_transformation_mode", b"half_pixel").decode()
    table = facts().tensorrt
    if mode not in table.resize_modes:
        yield True, f"mode {mode!r} is not taken", "use nearest or linear, or a pixel shuffle"
    if transform not in table.resize_transforms:
        known = ", ".join(table.resize_transforms)
        yield True, f"coordinate transform {transform!r} is not taken", f"use one of {known}"
    if found.get("antialias"):
        yield True, "antialiasing is not taken", "export without antialias"
    if found.get("keep_aspect_ratio_policy", b"stretch") != b"stretch":
        yield True, "keep_aspect_ratio_policy must be 'stretch'", "give the exact size"
    if transform == "align_corners":
        yield False, "align_corners depends on the frame's size", "use half_pixel: it can be tiled"
    dynamic = [name for name in node.input[2:4] if name and name not in graph.constants]
    if dynamic:
        yield (
            False,
            "its size is computed from shapes while running",
            "use constant scales instead of sizes: scale_factor= in PyTorch",
        )


def _quantised(graph: TypedGraph, node: onnx.NodeProto) -> Problems:
    if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
        return
    zero = graph.array(node.input[2]) if len(node.input) > 2 and node.input[2] else None
    if node.op_type == "DequantizeLinear":
        kind = graph.types.get(node.input[0])
    elif zero is not None:
        kind = graph.types.get(node.input[2])
    else:
        kind = graph.types.get(node.output[0], UINT8)
    name = "UNDEFINED" if kind is None else onnx.TensorProto.DataType.Name(kind)
    if kind is not None and name not in facts().tensorrt.quantised_types:
        yield (
            True,
            f"quantises to {name.lower()}; TensorRT takes int8",
            _FOR_GPUS,
        )
    elif zero is not None and bool(np.any(zero)):
        yield True, "its zero point is not 0", "quantise symmetrically"


def _uint8_inside(graph: TypedGraph, node: onnx.NodeProto) -> Problems:
    if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
        return  # has its own rule
    reads = {name for name in node.input if graph.types.get(name) == UINT8}
    writes = {name for name in node.output if graph.types.get(name) == UINT8}
    is_end = (
        node.op_type in ("Cast", "CastLike") and reads <= graph.inputs and (writes <= graph.outputs)
    )
    if (reads or writes) and not is_end and node.op_type != "Equal":
        remedy = "cast the input to float first and the output to uint8 last"
        yield (
            True,
            "computes with uint8, which TensorRT takes as input or output only",
            _FOR_GPUS if graph.for_processors else remedy,
        )


def _norm_in_half(graph: TypedGraph, node: onnx.NodeProto) -> Problems:
    if node.op_type in _NORMS and graph.types.get(node.input[0]) == HALF:
        yield (
            False,
            "sums over the frame in fp16 and may overflow",
            "keep it in fp32: framelift export --precision fp16 does",
        )


def _types(graph: TypedGraph, node: onnx.NodeProto) -> Problems:
    known = facts().tensorrt.types
    kinds = {graph.types.get(name, 0) for name in (*node.input, *node.output)} - {0}
    for name in sorted(onnx.TensorProto.DataType.Name(kind) for kind in kinds):
        if name not in known:
            yield (
                True,
                f"reads or writes {name.lower()}, which TensorRT has not",
                "export with float, or with integers of 32 bits",
            )


def _double(graph: TypedGraph, node: onnx.NodeProto) -> Problems:
    if any(graph.types.get(name) == DOUBLE for name in node.output):
        yield False, "computes in float64, which TensorRT cuts to float32", "export in float32"


def _int64(graph: TypedGraph, node: onnx.NodeProto) -> Problems:
    computed = any(graph.types.get(name) == INT64 for name in node.output)
    if computed and node.op_type not in _SHAPE_WORK:
        yield False, "computes with int64", "use int32 or float: int64 is slow and may be cut"


def _data_dependent(graph: TypedGraph, node: onnx.NodeProto) -> Problems:
    if node.op_type in _DATA_DEPENDENT:
        yield (
            False,
            "the shape of its output depends on values, not on shapes",
            "replace it; engines then cannot plan memory or be captured as a CUDA graph",
        )
    elif any(name in graph.unranked for name in node.output):
        yield False, "the shape of its output cannot be inferred", "export with static shapes"


def _dynamic_unshuffle(graph: TypedGraph, node: onnx.NodeProto) -> Problems:
    if node.op_type != "Transpose" or attributes(node).get("perm") != [0, 1, 3, 5, 2, 4]:
        return
    producer = next((n for n in graph.nodes if node.input[0] in n.output), None)
    if producer is None or producer.op_type != "Reshape":
        return
    if producer.input[1] not in graph.constants:
        yield (
            False,
            "a pixel unshuffle whose shape is computed while running (Shape, Div, Concat)",
            "use a strided convolution or SpaceToDepth, as framelift export does, or fix sizes",
        )


def _limits(graph: TypedGraph, node: onnx.NodeProto) -> Problems:
    for problem in limit_problems(node, graph):
        yield True, problem, "export it so, or with other operators"


def _attention_mask(graph: TypedGraph, node: onnx.NodeProto) -> Problems:
    causal = node.op_type == "Attention" and attributes(node).get("is_causal")
    if causal and len(node.input) > 3 and node.input[3]:
        yield True, "a mask and is_causal exclude each other", "put the causal part into the mask"


def _mod(graph: TypedGraph, node: onnx.NodeProto) -> Problems:
    whole = (onnx.TensorProto.INT32, INT64)
    kind = graph.types.get(node.input[0]) if node.op_type == "Mod" else None
    if kind is not None and kind not in whole and not attributes(node).get("fmod"):
        yield True, "with fmod = 0 it takes int32 and int64 only", "set fmod = 1"


RULES: tuple[Callable[[TypedGraph, onnx.NodeProto], Problems], ...] = (
    _types,
    _limits,
    _attention_mask,
    _mod,
    _resize,
    _quantised,
    _uint8_inside,
    _norm_in_half,
    _double,
    _int64,
    _data_dependent,
    _dynamic_unshuffle,
)
