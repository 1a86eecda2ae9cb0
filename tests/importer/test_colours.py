"""Ranges, orders of colours and precisions are found, and the picture is that of the file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from framelift.common.errors import ModelError
from framelift.export.source.load import load_source
from framelift.export.torch_export import export_core
from framelift.importer import ImportOptions
from framelift.runtime.models.file import read_spec

from ..support.foreign_models import Net, build, conv, in_range, save
from ..support.importing import ROOT, by_file, imported, photo, upscaled


@pytest.mark.parametrize(
    ("last", "order", "black", "white", "name"),
    [
        ("shuffle", "rgb", 0, 1, "0..1"),
        ("clip", "bgr", 0, 1, "0..1"),
        ("shuffle", "bgr", 0, 255, "0..255"),
        ("clip", "rgb", 0, 255, "0..255"),
        ("shuffle", "bgr", -1, 1, "-1..1"),
        ("clip", "rgb", -1, 1, "-1..1"),
    ],
)
def test_range_and_order_are_found_and_the_picture_is_that_of_the_file(
    tmp_path: Path, last: str, order: str, black: float, white: float, name: str
) -> None:
    path = Net(black=black, white=white, order=order, last=last).save(tmp_path / "m.onnx")
    found, notes = imported(path)
    assert (found.scale, found.convention.order, found.halo, found.size_multiple) == (
        2,
        order,
        2,
        1,
    )
    assert found.convention.given.name == found.convention.taken.name == name
    assert found.summary() == f"×2, {order.upper()}, {name}, halo 2 px"
    assert not notes
    frame = photo()
    difference = upscaled(found.path, frame) - by_file(path, frame, order, black, white)
    assert np.abs(difference).max() <= 0.51
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx", "out.onnx"]


def test_the_spec_says_what_it_is(tmp_path: Path) -> None:
    path = Net(scale=3, order="bgr", half=True).save(tmp_path / "4x_Thing.onnx")
    found, _ = imported(path, ImportOptions(licence="CC0-1.0"))
    spec = read_spec(found.path)
    assert (spec.name, spec.task, spec.scale) == ("4x_Thing", "super-resolution", 3)
    assert (spec.precision, spec.licence, spec.opset) == ("fp16", "CC0-1.0", 17)
    assert json.loads(spec.metadata["half_precision"])["peak"] < 65504
    assert spec.network["read_as"] == found.summary()
    assert spec.frame_shape == (None, None, None)
    assert len(spec.parity) >= 3


def test_half_precision_keeps_code_values_exact_at_its_ends(tmp_path: Path) -> None:
    path = Net(order="bgr", black=0, white=255, half=True).save(tmp_path / "m.onnx")
    found, _ = imported(path)
    frame = photo()
    difference = upscaled(found.path, frame) - by_file(path, frame, "bgr", 0, 255)
    assert np.sqrt(np.mean(difference**2)) < 0.5


def test_a_file_that_leaves_half_precision_is_said_to(tmp_path: Path) -> None:
    """Its processor computes it in float32, where it is right; a GPU would show something else."""
    model = Net(order="rgb", black=0, white=255, half=True).model()
    for node in model.graph.node:
        node.input[:] = ["huge" if name == "x" else name for name in node.input]
    for name, factor in (("up", 900.0), ("down", 1 / 900)):
        value = onnx.numpy_helper.from_array(np.array(factor, np.float16), name)
        model.graph.initializer.append(value)
    place = next(k for k, node in enumerate(model.graph.node) if "x" in node.output) + 1
    model.graph.node.insert(place, helper.make_node("Mul", ["x", "up"], ["raised"]))
    model.graph.node.insert(place + 1, helper.make_node("Mul", ["raised", "down"], ["huge"]))
    found, notes = imported(save(model, tmp_path / "m.onnx"))
    assert any(
        "in half precision" in note and "CPUs compute it in float32" in note for note in notes
    )
    frame = photo()
    difference = upscaled(found.path, frame) - by_file(
        found.path.with_name("m.onnx"), frame, "rgb", 0, 255
    )
    assert np.sqrt(np.mean(difference**2)) < 0.5


def test_an_order_that_cannot_be_told_is_rgb_and_said_so(tmp_path: Path) -> None:
    path = Net().save(tmp_path / "m.onnx")
    found, notes = imported(path)
    assert "RGB (assumed)" in found.summary()
    (note,) = notes
    assert note.startswith("m.onnx: the order of its channels cannot be found by trying")
    assert "--channels bgr" in note
    given, notes = imported(path, ImportOptions(order="bgr", overwrite=True))
    assert not notes
    assert "BGR," in given.summary()
    frame = photo()
    difference = upscaled(given.path, frame) - by_file(path, frame, "bgr", 0, 1)
    assert np.abs(difference).max() <= 0.51


def test_a_range_that_makes_no_difference_is_said(tmp_path: Path) -> None:
    model = build(
        [
            conv("input", "phases", "repeat", "", 1),
            helper.make_node("DepthToSpace", ["phases"], ["output"], blocksize=2, mode="CRD"),
        ],
        {"repeat": np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)[:, :, None, None]},
        ["n", 3, "h", "w"],
    )
    found, notes = imported(save(model, tmp_path / "m.onnx"))
    assert notes[0] == "m.onnx: other ranges of its pixels give the same picture"
    frame = photo()
    np.testing.assert_array_equal(upscaled(found.path, frame), frame.repeat(2, 0).repeat(2, 1))


def test_noise_for_a_picture_asks_for_the_range(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    nodes = [
        conv("input", "phases", "w", "", 3),
        helper.make_node("DepthToSpace", ["phases"], ["output"], blocksize=2, mode="CRD"),
    ]
    weights = {"w": rng.normal(0, 0.1, (12, 3, 3, 3)).astype(np.float32)}
    path = save(build(nodes, weights, ["n", 3, "h", "w"]), tmp_path / "m.onnx")
    with pytest.raises(ModelError, match=r"cannot be found by trying .* with --range 0\.\.1 or"):
        imported(path)
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
    found, _ = imported(path, ImportOptions(span="-1..1", order="rgb"))
    frame = photo()
    difference = upscaled(found.path, frame) - by_file(path, frame, "rgb", -1, 1)
    assert np.abs(difference).max() <= 0.51


def test_trained_networks_are_read_as_they_were_trained(tmp_path: Path) -> None:
    # By a wrong range, this one gives a picture that is nearer to a bicubic one than its own.
    core = export_core(
        load_source(ROOT / "models/realtime-small-x2-video.safetensors").deployed, 20
    )
    for span, (black, white) in {"0..1": (0, 1), "0..255": (0, 255), "-1..1": (-1, 1)}.items():
        path = save(in_range(core, black, white), tmp_path / "m.onnx")
        found, notes = imported(path, ImportOptions(overwrite=True))
        assert (found.convention.given.name, found.convention.taken.name) == (span, span)
    assert "read as 0..1 it gives nearly as good a picture" in notes[0]
