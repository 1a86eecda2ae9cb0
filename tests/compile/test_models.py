"""Every shipped model, built for four generations of GPUs."""

from __future__ import annotations

from functools import cache
from itertools import cycle
from pathlib import Path

import onnx
import pytest

from framelift.runtime.models.byte_form import in_bytes
from framelift.runtime.models.depth import at_bits
from framelift.runtime.models.file import read_spec
from framelift.runtime.models.zoo import resolve, shipped_models

from .conftest import Builder

pytestmark = pytest.mark.compile

FIXED = "270x480"
OPEN = "1x64x64:1x270x480:4x540x960"
SHAPES = {"SM75": FIXED, "SM86": OPEN, "SM89": FIXED, "SM120": OPEN}
FLOAT = [name for name in shipped_models() if read_spec(resolve(name)).precision != "int8"]
INT8 = [name for name in shipped_models() if name not in FLOAT]


def _structure(name: str) -> object:
    """What two models have in common that differ in the values of their weights alone."""
    graph = read_spec(resolve(name)).model().graph
    nodes = [(node.op_type, *node.input, *node.output) for node in graph.node]
    weights = [(tensor.name, tensor.data_type, *tensor.dims) for tensor in graph.initializer]
    return repr((nodes, weights))


@cache
def _builds() -> list[tuple[str, str]]:
    """The first model of each structure for every generation, others for one, each in its turn."""
    structures, turn, found = set[object](), cycle(SHAPES), list[tuple[str, str]]()
    for name in FLOAT:
        structure = _structure(name)
        gpus = [next(turn)] if structure in structures else list(SHAPES)
        structures.add(structure)
        found += [(name, gpu) for gpu in gpus]
    return found


def _build(builder: Builder, name: str, gpu: str) -> None:
    built = builder.build(resolve(name), SHAPES[gpu], gpu)
    assert built.get("size", 0) > 100_000, built
    network = built["network"]
    assert network["strongly_typed"]
    assert network["inputs"] == [["frames", "UINT8", [-1, -1, -1, 3]]]
    assert network["outputs"] == [["upscaled", "UINT8", [-1, -1, -1, 3]]]


@pytest.mark.parametrize("name", FLOAT)
def test_float_models_build(builder: Builder, name: str) -> None:
    for gpu in [gpu for built, gpu in _builds() if built == name]:
        _build(builder, name, gpu)


@pytest.mark.slow
@pytest.mark.parametrize("gpu", SHAPES)
@pytest.mark.parametrize("name", FLOAT)
def test_float_models_build_for_every_generation(builder: Builder, name: str, gpu: str) -> None:
    _build(builder, name, gpu)


@pytest.mark.parametrize("name", ["realtime-small-x4", "johnson-x4"])
def test_the_form_for_16_bits_builds(builder: Builder, name: str, tmp_path: Path) -> None:
    """TensorRT has no uint16: frames of 16 bits are seen as twice as many bytes."""
    model = in_bytes(at_bits(read_spec(resolve(name)), 16)).model()
    kept = {p.key: p.value for p in model.metadata_props if p.key != "framelift.graph_sha256"}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, kept)
    path = tmp_path / "bytes.onnx"
    path.write_bytes(model.SerializeToString())
    assert builder.parse(path) == []
    for gpu, shapes in (("SM89", "270x960"), ("SM86", "1x64x64:1x270x960:4x540x1920")):
        built = builder.build(path, shapes, gpu)
        assert built.get("size", 0) > 100_000, built


@pytest.mark.parametrize("name", INT8)
def test_int8_models_for_processors_are_refused_with_the_node_and_the_remedy(
    builder: Builder, name: str
) -> None:
    refused = builder.build(resolve(name))
    assert refused["error"] == "ModelError"
    assert "node 'to_nchw' (Transpose)" in refused["message"]
    assert "first input has type UInt8" in refused["message"]
    instead = f"use {name.removesuffix('-int8')}, the same network without int8"
    assert refused["message"].endswith(instead)
    assert "\n" not in refused["message"]
