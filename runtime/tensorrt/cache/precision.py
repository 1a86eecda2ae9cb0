"""Whether a built engine runs its convolutions in the precision that the ONNX graph says.

A builder may silently do something else than it was asked for, so what runs is read from TensorRT's
engine inspector. Its JSON differs between releases: 10.x joins "Format/Datatype" and abbreviates
the type ("Half") or spells out the layout ("Channel major FP16 format where ..."), 11.x has
"DataType" beside "Format".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ....common.errors import BackendError
from ...models.graph import Graph

if TYPE_CHECKING:
    import onnx

# Fewer convolutions than this in the graph's precision, of those seen, and the engine is refused.
MIN_SHARE = 0.9

_CONVOLUTIONS = ("Conv", "ConvTranspose")
_TYPES = (  # the order matters: "uint8" holds "int8", "bfloat16" holds "float"
    ("uint8", "uint8"),
    ("int8", "int8"),
    ("fp8", "fp8"),
    ("bfloat16", "bf16"),
    ("bf16", "bf16"),
    ("half", "fp16"),
    ("fp16", "fp16"),
    ("float16", "fp16"),
    ("fp32", "fp32"),
    ("float", "fp32"),
)
_ONNX_LAYER = re.compile(r"\[ONNX Layer: ([^\]]*)\]")


@dataclass(frozen=True)
class PrecisionReport:
    """Of the graph's convolutions, how many the inspector names and how many run as the graph says.

    `others` describes those that do not.
    """

    convolutions: int
    seen: int
    as_graph: int
    others: tuple[str, ...]

    @property
    def share(self) -> float | None:
        """Share of the seen convolutions that run in the graph's precision; None if none was."""
        return self.as_graph / self.seen if self.seen else None

    def record(self) -> dict[str, object]:
        """As JSON values, for the sidecar."""
        return {
            "convolutions": self.convolutions,
            "seen": self.seen,
            "as_graph": self.as_graph,
            "others": list(self.others),
        }

    def text(self) -> str:
        """One phrase for the user."""
        if not self.convolutions:
            return "there are no convolutions to verify"
        if not self.seen:
            return f"not verified: the inspector names none of {self.convolutions} convolutions"
        return f"{self.as_graph} of {self.seen} convolutions run in the graph's precision" + (
            f" ({self.convolutions} in the graph)" if self.seen != self.convolutions else ""
        )


def report_from_record(record: Mapping[str, Any]) -> PrecisionReport:
    """The report that `PrecisionReport.record` wrote. Raises KeyError, TypeError or ValueError."""
    return PrecisionReport(
        int(record["convolutions"]),
        int(record["seen"]),
        int(record["as_graph"]),
        tuple(str(other) for other in record["others"]),
    )


def convolution_types(model: onnx.ModelProto) -> dict[str, str]:
    """Node name to "fp32", "fp16", "bf16", "int8" or "fp8" for each convolution of the graph.

    A convolution whose input comes from a DequantizeLinear is of the quantised type. Nodes without
    a name have the one that TensorRT's parser gives them.
    """
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model).graph
    values = (*inferred.value_info, *inferred.input, *inferred.output)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    types |= {tensor.name: tensor.data_type for tensor in inferred.initializer}
    graph = Graph(inferred)
    names = {
        onnx.TensorProto.FLOAT: "fp32",
        onnx.TensorProto.FLOAT16: "fp16",
        onnx.TensorProto.BFLOAT16: "bf16",
        onnx.TensorProto.INT8: "int8",
        onnx.TensorProto.UINT8: "int8",
        onnx.TensorProto.FLOAT8E4M3FN: "fp8",
    }
    found: dict[str, str] = {}
    for node in graph.nodes:
        if node.op_type not in _CONVOLUTIONS:
            continue
        source: str = node.input[0]
        dequantise = graph.producer(source, "DequantizeLinear")
        if dequantise is not None:
            source = dequantise.input[0]
            quantise = graph.producer(source, "QuantizeLinear")
            # Inference may leave the quantised value untyped; the zero point always has its type.
            if quantise is not None and len(quantise.input) > 2:
                source = quantise.input[2]
        name = node.name or f"node_of_{node.output[0]}"
        found[name] = names.get(types.get(source, 0), "unknown")
    return found


def check_precision(model: str, inspection: str, expected: Mapping[str, str]) -> PrecisionReport:
    """Compare the inspector's JSON with the graph.

    Raises BackendError if more than a tenth of the convolutions run in another precision.
    """
    report = measure_precision(inspection, expected)
    if report.share is not None and report.share < MIN_SHARE:
        raise BackendError(
            f"the engine built for {model} does not run in the model's precision: {report.text()}; "
            f"for instance {report.others[0]}; nothing was stored"
        )
    return report


def measure_precision(inspection: str, expected: Mapping[str, str]) -> PrecisionReport:
    """What the inspector's JSON says about the convolutions named in `expected`."""
    layers = _layers(inspection)
    seen = as_graph = 0
    others = []
    for name, wanted in expected.items():
        types = {kind for layer in layers if name in _origins(layer) for kind in _types(layer)}
        if not types:
            continue
        seen += 1
        if wanted in types:
            as_graph += 1
        else:
            others.append(f"{name} runs in {'/'.join(sorted(types))}, the graph says {wanted}")
    return PrecisionReport(len(expected), seen, as_graph, tuple(others))


def layer_count(inspection: str) -> int:
    """The number of layers in the inspector's JSON."""
    return len(_layers(inspection))


def _layers(inspection: str) -> list[dict[str, Any]]:
    """The layers that are described in detail; others are plain names."""
    try:
        document = json.loads(inspection)
    except json.JSONDecodeError:
        return []
    layers = document.get("Layers", []) if isinstance(document, dict) else []
    return [layer for layer in layers if isinstance(layer, dict)]


def _origins(layer: Mapping[str, Any]) -> set[str]:
    """Names of the ONNX nodes that a layer was made from."""
    if str(layer.get("LayerType", "")).lower() in ("reformat", "noop", "shape"):
        return set()  # moves data for a layer and bears its origin, but computes nothing
    origins = set(_ONNX_LAYER.findall(str(layer.get("Metadata", ""))))
    return origins or {part.strip() for part in str(layer.get("Name", "")).split(" + ")}


def _types(layer: Mapping[str, Any]) -> Iterator[str]:
    tensors = [*_dicts(layer.get("Inputs")), *_dicts(layer.get("Outputs"))]
    texts = [
        tensor.get(key, "")
        for tensor in tensors
        for key in ("DataType", "Datatype", "Format/Datatype")
    ]
    weights = layer.get("Weights")
    if isinstance(weights, dict):
        texts.append(weights.get("Type", ""))
    for text in texts:
        lowered = str(text).lower()
        kind = next((kind for mark, kind in _TYPES if mark in lowered), None)
        if kind is not None:
            yield kind


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
