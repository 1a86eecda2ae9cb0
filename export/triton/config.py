"""`config.pbtxt` of a framelift model for Triton Inference Server, as text."""

from __future__ import annotations

import json
import re

from ...runtime.gpu.shapes import ShapeProfile
from ...runtime.models.contract import INPUT, OUTPUT
from ...runtime.models.file import ModelSpec

MAX_BATCH = 8
"""Frames of one size that run together, unless the model has a fixed batch."""
_MAX_DELAY_US = 2000
"""How long a request waits for others."""

# Frames of the size that is warmed up where the model takes any.
_WARM_HEIGHT, _WARM_WIDTH = 270, 480


def onnx_name(spec: ModelSpec) -> str:
    """What clients call the model run by ONNX Runtime."""
    return f"{_slug(spec.name)}_onnx"


def tensorrt_name(spec: ModelSpec) -> str:
    """What clients call the model run by TensorRT."""
    return f"{_slug(spec.name)}_tensorrt"


def onnx_config(spec: ModelSpec, max_batch: int = MAX_BATCH) -> str:
    """`config.pbtxt` of the model itself, of which up to `max_batch` frames run together."""
    count, height, width = spec.frame_shape
    warm = tuple(
        fixed or -(-side // spec.size_multiple) * spec.size_multiple
        for fixed, side in ((height, _WARM_HEIGHT), (width, _WARM_WIDTH))
    )
    batch = 0 if count else max_batch
    return "".join(
        (
            _head(onnx_name(spec), "onnxruntime", batch),
            _tensors(spec, height, width, count),
            _scheduling(batch),
            _warm_up(batch, warm, count, spec.depth),
            _parameters(spec),
        )
    )


def tensorrt_config(spec: ModelSpec, profile: ShapeProfile) -> str:
    """`config.pbtxt` of an engine with that profile."""
    least, usual, most = profile.least, profile.usual, profile.most
    # Triton may send any number of frames up to its maximum, so an engine that wants several at a
    # time is given its batch by the clients.
    batch = most.frames if least.frames == 1 else 0
    count = None if batch else most.frames
    _, height, width = spec.frame_shape
    warm = (usual.height, usual.width)
    return "".join(
        (
            _head(tensorrt_name(spec), "tensorrt", batch),
            _tensors(spec, height, width, count),
            _scheduling(batch),
            _cuda_graphs(batch, profile) if profile.is_fixed else "",
            _warm_up(batch, warm, count, spec.depth),
            _parameters(spec),
        )
    )


def _head(name: str, backend: str, batch: int) -> str:
    return f"name: {_text(name)}\nbackend: {_text(backend)}\nmax_batch_size: {batch}\n"


def _tensors(spec: ModelSpec, height: int | None, width: int | None, count: int | None) -> str:
    """Input and output; with `count`, the number of frames is one of their dimensions."""
    scale = spec.scale
    small = [*((count,) if count else ()), height or -1, width or -1, 3]
    big = [
        *((count // spec.window,) if count else ()),
        *(side * scale if side else -1 for side in (height, width)),
        3,
    ]
    values = (("input", INPUT, small), ("output", OUTPUT, big))
    return "".join(_tensor(*value, spec.depth) for value in values)


def _tensor(kind: str, name: str, dims: list[int], depth: int) -> str:
    shape = ", ".join(map(str, dims))
    return f"""{kind} [
  {{
    name: {_text(name)}
    data_type: TYPE_UINT{depth}
    dims: [ {shape} ]
  }}
]
"""


def _scheduling(batch: int) -> str:
    group = """instance_group [
  {
    kind: KIND_AUTO
    count: 1
  }
]
"""
    if batch <= 1:
        return group
    return f"""dynamic_batching {{
  max_queue_delay_microseconds: {_MAX_DELAY_US}
}}
{group}"""


def _cuda_graphs(batch: int, profile: ShapeProfile) -> str:
    """Triton records one graph for the only shape there is."""
    count, height, width = profile.usual
    dims = [height, width, 3] if batch else [count, height, width, 3]
    shape = ", ".join(map(str, dims))
    return f"""optimization {{
  cuda {{
    graphs: true
    graph_spec [
      {{
        batch_size: {batch}
        input {{
          key: {_text(INPUT)}
          value {{ dim: [ {shape} ] }}
        }}
      }}
    ]
  }}
}}
"""


def _warm_up(batch: int, size: tuple[int, ...], count: int | None, depth: int) -> str:
    """Black frames before a version is called ready: one, and a full batch."""
    shape = ", ".join(map(str, (*((count,) if count else ()), *size, 3)))
    sizes = sorted({min(1, batch), batch})
    return "".join(
        f"""model_warmup [
  {{
    name: {_text(f"{max(1, number)} at a time")}
    batch_size: {number}
    inputs {{
      key: {_text(INPUT)}
      value {{
        data_type: TYPE_UINT{depth}
        dims: [ {shape} ]
        zero_data: true
      }}
    }}
  }}
]
"""
        for number in sizes
    )


def _parameters(spec: ModelSpec) -> str:
    """What a client may want to know; Triton passes it on."""
    values = {
        "framelift.task": spec.task,
        "framelift.scale": str(spec.scale),
        "framelift.size_multiple": str(spec.size_multiple),
        "framelift.minimum_side": str(spec.minimum_side),
        "framelift.halo": str(spec.halo) if spec.is_local else "whole frame",
        "framelift.precision": spec.precision,
        "framelift.licence": spec.licence,
        "framelift.colour": f"uint{spec.depth} BGR, N×H×W×3",
    }
    return "".join(
        f"parameters {{\n  key: {_text(key)}\n  value {{ string_value: {_text(value)} }}\n}}\n"
        for key, value in values.items()
    )


def _text(value: str) -> str:
    """A string as protobuf's text format writes it."""
    return json.dumps(value, ensure_ascii=False)


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_.") or "model"
