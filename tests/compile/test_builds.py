"""What a build is asked for: generations, options, cancelling, nodes that are not taken."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import onnx
import pytest

from framelift.runtime.models.zoo import resolve

from .conftest import Builder

pytestmark = pytest.mark.compile

NANO = "realtime-nano-x4"


def test_engines_differ_between_generations_and_are_the_same_every_time(builder: Builder) -> None:
    built = {gpu: builder.build(resolve(NANO), gpu=gpu) for gpu in ("SM75", "SM89", "SM120")}
    digests = {gpu: one["sha256"] for gpu, one in built.items()}
    assert len(set(digests.values())) == 3
    assert builder.build(resolve(NANO), gpu="SM89")["sha256"] == digests["SM89"]


def test_a_gpu_that_it_does_not_build_for(builder: Builder) -> None:
    refused = builder.build(resolve(NANO), gpu="SM90")
    assert refused["error"] == "BackendError"
    assert refused["message"].endswith(
        "builds for no GPU of SM90: use one of SM75, SM80, SM86, SM89, SM120, SM121"
    )


def test_every_option_is_taken(builder: Builder) -> None:
    for options in ({"level": 0}, {"level": 5, "tf32": True}, {"max_aux_streams": None}):
        assert builder.build(resolve(NANO), **options).get("size", 0) > 0


def test_it_times_nothing(builder: Builder) -> None:
    """TensorRT for RTX chooses kernels on the user's GPU: earlier timings are left alone."""
    assert builder.build(resolve(NANO), timings="of a GPU")["timings"] == 0


def test_a_cancelled_build_stops(builder: Builder) -> None:
    whole = builder.build(resolve("starry-night"))
    stopped = builder.build(resolve("starry-night"), cancel=True)
    assert stopped["error"] == "BackendError"
    assert stopped["message"].endswith("for 1x270x480: the build was cancelled")
    assert stopped["phases"] < whole["phases"]
    assert builder.build(resolve(NANO)).get("size", 0) > 0  # and the next one is not


def test_all_refused_nodes_are_named(
    builder: Builder, tiny_models: ModuleType, tmp_path: Path
) -> None:
    model = tiny_models.nearest_model()
    for node, name in zip(model.graph.node, ("a", "b"), strict=False):
        node.op_type, node.name = "Det", name
        del node.attribute[:]
    path = tmp_path / "det.onnx"
    onnx.save(model, path)
    refused = builder.build(path)
    assert refused["error"] == "ModelError"
    assert "node 'a' (Det): TensorRT does not take this operator" in refused["message"]
    assert "node 'b' (Det): TensorRT does not take this operator" in refused["message"]
    assert f"run `framelift check {path}` for the remedy" in refused["message"]
