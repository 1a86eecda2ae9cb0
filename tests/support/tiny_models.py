"""Tiny framelift ONNX models (contract 2) built without torch; tests reach them by fixtures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
IR_VERSION = 10

Dim = int | str


def pixel_shuffle_model(
    scale: int = 4,
    channels: int = 8,
    layers: int = 2,
    seed: int = 0,
    name: str = "tiny-shuffle",
    *,
    floor: bool = False,
    mode: str = "CRD",
    frame_shape: tuple[Dim, Dim, Dim] = ("n", "h", "w"),
) -> onnx.ModelProto:
    """Nearest-neighbour upscaling plus a small residual from `layers` random 3x3 convolutions.

    Its tail is exactly the exporter's: Clip, [Floor,] DepthToSpace, Transpose, Cast.
    The halo is `layers`. `frame_shape` is (N, H, W): names are dynamic, numbers fixed.
    """
    rng = np.random.default_rng(seed)
    weights: list[onnx.TensorProto] = []
    nodes = _head()
    value, width = "bgr", 3
    for index in range(layers):
        last = index == layers - 1
        out_width = 3 * scale * scale if last else channels
        gain = (6.0 if last else 1.0) * np.sqrt(2 / (9 * width)) / (255 if index == 0 else 1)
        kernel = rng.normal(0, gain, (out_width, width, 3, 3))
        bias = np.full(out_width, 0.5) if last else rng.normal(0, 0.1, out_width)
        weights += [_tensor(f"w{index}", kernel), _tensor(f"b{index}", bias)]
        nodes.append(_conv(value, f"conv{index}", f"w{index}", f"b{index}", 3))
        value, width = f"conv{index}", out_width
        if not last:
            nodes.append(helper.make_node("Relu", [value], [f"relu{index}"]))
            value = f"relu{index}"
    repeat = np.repeat(np.eye(3), scale * scale, axis=0)
    if mode == "DCR":
        repeat = np.tile(np.eye(3), (scale * scale, 1))
    weights.append(_tensor("repeat", repeat[:, :, None, None]))
    nodes.append(helper.make_node("Conv", ["bgr", "repeat"], ["base"], kernel_shape=[1, 1]))
    nodes.append(helper.make_node("Add", [value, "base"], ["sum"]))
    nodes.append(helper.make_node("Clip", ["sum", "low", "high"], ["clipped"]))
    value = "clipped"
    if floor:
        nodes.append(helper.make_node("Floor", [value], ["floored"]))
        value = "floored"
    nodes += [
        helper.make_node("DepthToSpace", [value], ["shuffled"], blocksize=scale, mode=mode),
        helper.make_node("Transpose", ["shuffled"], ["nhwc"], perm=[0, 2, 3, 1]),
        helper.make_node("Cast", ["nhwc"], ["upscaled"], to=TensorProto.UINT8),
    ]
    weights += [_tensor("low", np.array(0.0)), _tensor("high", np.array(255.0))]
    return _model(nodes, weights, name, scale, layers, frame_shape)


def nearest_model(
    scale: int = 4,
    name: str = "tiny-nearest",
    *,
    frame_shape: tuple[Dim, Dim, Dim] = ("n", "h", "w"),
) -> onnx.ModelProto:
    """Exactly `np.repeat(np.repeat(frame, scale, 0), scale, 1)`; halo 0; no pixel-shuffle tail."""
    nodes = [
        *_head(),
        helper.make_node(
            "Resize",
            ["bgr", "", "factors"],
            ["big"],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
        helper.make_node("Transpose", ["big"], ["nhwc"], perm=[0, 2, 3, 1]),
        helper.make_node("Cast", ["nhwc"], ["upscaled"], to=TensorProto.UINT8),
    ]
    factors = _tensor("factors", np.array([1, 1, scale, scale]))
    return _model(nodes, [factors], name, scale, 0, frame_shape)


WINDOW_SHARES = (0.1, 0.2, 0.4, 0.2, 0.1)


def window_model(
    scale: int = 2, name: str = "tiny-window", *, frame_shape: tuple[Dim, Dim] = ("h", "w")
) -> onnx.ModelProto:
    """Five frames, of which two are ahead, in the `WINDOW_SHARES`, each pixel repeated; halo 0."""
    shares = np.kron(WINDOW_SHARES, np.eye(3))
    repeat = np.repeat(shares, scale * scale, axis=0)[:, :, None, None]
    nodes = [
        *_head(),
        helper.make_node("Reshape", ["bgr", "stacked"], ["stack"]),
        helper.make_node("Conv", ["stack", "repeat", "half"], ["sum"], kernel_shape=[1, 1]),
        helper.make_node("Clip", ["sum", "low", "high"], ["clipped"]),
        helper.make_node("Floor", ["clipped"], ["floored"]),
        helper.make_node("DepthToSpace", ["floored"], ["big"], blocksize=scale, mode="CRD"),
        helper.make_node("Transpose", ["big"], ["nhwc"], perm=[0, 2, 3, 1]),
        helper.make_node("Cast", ["nhwc"], ["upscaled"], to=TensorProto.UINT8),
    ]
    weights = [
        _tensor("repeat", repeat),
        _tensor("half", np.full(3 * scale * scale, 0.5)),
        _tensor("low", np.array(0.0)),
        _tensor("high", np.array(255.0)),
        numpy_helper.from_array(np.array([1, 15, 0, 0]), "stacked"),
    ]
    model = _model(nodes, weights, name, scale, 0, (5, *frame_shape))
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 1
    return set_metadata(model, format="2", window="5", lookahead="2")


def windowed(frames: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """What `window_model(scale)` must give for the uint8 N×H×W×3 frames of one scene."""
    last = len(frames) - 1
    numbers = np.arange(len(frames))
    mixed = sum(
        share * frames[np.clip(numbers + offset, 0, last)].astype(np.float64)
        for share, offset in zip(WINDOW_SHARES, range(-2, 3), strict=True)
    )
    return nearest(np.floor(np.asarray(mixed) + 0.5 + 1e-4).astype(np.uint8), scale)


def nearest(frames: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """What `nearest_model(scale)` must give for uint8 [N,] H, W, 3 frames."""
    return np.repeat(np.repeat(frames, scale, axis=-3), scale, axis=-2)


def set_metadata(model: onnx.ModelProto, **changes: str | None) -> onnx.ModelProto:
    """Change `framelift.<key>` entries in place; None removes the entry."""
    entries = {entry.key: entry.value for entry in model.metadata_props}
    for key, value in changes.items():
        if value is None:
            entries.pop(f"framelift.{key}", None)
        else:
            entries[f"framelift.{key}"] = value
    del model.metadata_props[:]
    helper.set_model_props(model, entries)
    return model


def save(model: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def _head() -> list[onnx.NodeProto]:
    return [
        helper.make_node("Cast", ["frames"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["bgr"], perm=[0, 3, 1, 2]),
    ]


def _conv(value: str, output: str, weight: str, bias: str, size: int) -> onnx.NodeProto:
    pads = [size // 2] * 4
    return helper.make_node(
        "Conv", [value, weight, bias], [output], kernel_shape=[size, size], pads=pads
    )


def _tensor(name: str, values: NDArray[np.float64] | NDArray[np.int64]) -> onnx.TensorProto:
    return numpy_helper.from_array(values.astype(np.float32), name)


def _model(
    nodes: list[onnx.NodeProto],
    weights: list[onnx.TensorProto],
    name: str,
    scale: int,
    halo: int,
    frame_shape: tuple[Dim, Dim, Dim],
) -> onnx.ModelProto:
    n, h, w = frame_shape
    out_h, out_w = (f"{scale}{d}" if isinstance(d, str) else scale * d for d in (h, w))
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("frames", TensorProto.UINT8, [n, h, w, 3])],
        [helper.make_tensor_value_info("upscaled", TensorProto.UINT8, [n, out_h, out_w, 3])],
        weights,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    parity = {"noise 1×24×32": {"max_difference": 0, "psnr_db": None}}
    metadata = {
        "format": "1",
        "task": "super-resolution",
        "name": name,
        "scale": str(scale),
        "size_multiple": "1",
        "halo": str(halo),
        "precision": "fp32",
        "opset": str(OPSET),
        "network": json.dumps({"name": "tiny", "scale": scale}),
        "weights_sha256": "0" * 64,
        "parity": json.dumps(parity),
        "created_with": json.dumps({"onnx": onnx.__version__}),
        "licence": "Apache-2.0",
    }
    helper.set_model_props(model, {f"framelift.{key}": value for key, value in metadata.items()})
    onnx.checker.check_model(model)
    return model
