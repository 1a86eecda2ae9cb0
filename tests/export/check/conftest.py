"""Models for `framelift check`."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from ...support.checking import Build


@pytest.fixture
def save(tmp_path: Path) -> Build:
    """Writes a model of the given nodes: float `x` 1×3×h×w in, `y` out."""

    def build(
        *nodes: onnx.NodeProto,
        opset: int = 20,
        ir_version: int = 10,
        kind: int = TensorProto.FLOAT,
        rank: int = 4,
        weights: tuple[onnx.TensorProto, ...] = (),
        domains: tuple[str, ...] = (),
    ) -> Path:
        graph = helper.make_graph(
            list(nodes),
            "g",
            [helper.make_tensor_value_info("x", kind, [1, 3, "h", "w"])],
            [helper.make_tensor_value_info("y", kind, [None] * rank)],
            list(weights),
        )
        imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=ir_version)
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return build
