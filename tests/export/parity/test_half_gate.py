"""fp16 is judged with every value in half precision, not in the float32 a processor keeps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from framelift.common.errors import ExportError
from framelift.export.config import ExportConfig
from framelift.export.exporter import export_checkpoint
from framelift.export.graph.contract import apply_frame_contract
from framelift.export.graph.half import MAX_HALF, to_half
from framelift.export.parity.comparison import reference_frames
from framelift.export.parity.gate import Gate
from framelift.export.parity.half_gate import HalfRunner
from framelift.export.torch_export import export_core
from framelift.runtime.models.file import read_spec
from framelift.train.checkpoints.file import Checkpoint, save_checkpoint
from framelift.train.networks import Compact, CompactConfig

CONFIG = CompactConfig(scale=2, num_feat=8, num_conv=4)
PHOTO = reference_frames()[1][1]
SAME = (1.0,) * 6
TOO_LARGE = (2e4, 1 / 100, 1 / 200, 1.0, 1.0, 1.0)
TOO_SMALL = (1.0, 1 / 300, 1 / 300, 1 / 20, 6e3, 300.0)


def rescaled(factors: tuple[float, ...]) -> Compact:
    """A network whose layers give as many times what they gave, together once: the same function,
    and in float32 the same picture. No biases."""
    torch.manual_seed(0)
    network = Compact(CONFIG).eval()
    assert np.prod(factors) == pytest.approx(1, rel=1e-6)
    with torch.no_grad():
        network.get_parameter("body.0.weight").mul_(50)  # so that it shows in the picture
        for index, factor in enumerate(factors):
            layer = network.get_submodule(f"body.{2 * index}")
            layer.get_parameter("weight").mul_(factor)
            layer.get_parameter("bias").zero_()
    return network


def half(network: Compact) -> onnx.ModelProto:
    return to_half(apply_frame_contract(export_core(network.deploy(), 20), 2))


def computed_in_half(network: Compact) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """What PyTorch makes of the photograph with tensors of 16 bits: code values, RGB."""
    rgb = torch.from_numpy(np.ascontiguousarray(PHOTO[..., ::-1])).permute(0, 3, 1, 2)
    with torch.inference_mode():
        values: torch.Tensor = network.deploy().half()(rgb.half() / 255)
    return values.float().numpy() * 255


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        (TOO_LARGE, r"`\w+` exceeds the range on photograph .* 65,504; use --precision fp32"),
        (TOO_SMALL, r"parity failed on photograph .* \(limit 50 dB\)"),
    ],
)
def test_a_processor_does_not_show_what_half_precision_breaks(
    factors: tuple[float, ...], message: str
) -> None:
    """Too large, values become infinite; too small, they become zero."""
    network, sound = rescaled(factors), computed_in_half(rescaled(SAME))
    gate = Gate(network)
    model = half(network)
    gate.require(model, "fp16")  # computed in float32 between the operators: nothing to be seen
    broken = np.nan_to_num(computed_in_half(network), nan=0, posinf=0, neginf=0)
    assert np.abs(broken - sound).mean() > 1  # PyTorch is the witness
    with pytest.raises(ExportError, match=message):
        gate.require_half(model)


def test_what_it_computes_is_half_precision() -> None:
    network = rescaled(SAME)
    got = HalfRunner(half(network))(PHOTO, "photograph")
    rgb = np.clip(computed_in_half(network) + 0.5, 0, 255).astype(np.uint8)
    wanted = rgb.transpose(0, 2, 3, 1)[..., ::-1]
    assert np.abs(got.astype(np.int16) - wanted).max() <= 1


def test_the_peak_is_that_of_the_values(tmp_path: Path) -> None:
    network = rescaled((100.0, 0.1, 0.1, *SAME[3:]))
    path = tmp_path / "net.safetensors"
    save_checkpoint(path, Checkpoint(CONFIG, network.state_dict(), {}))
    exported = export_checkpoint(path, tmp_path / "m.onnx", ExportConfig(precision="fp16"))
    recorded = json.loads(read_spec(exported.path).metadata["half_precision"])
    largest = 0.0
    for _, frames in reference_frames():
        rgb = torch.from_numpy(np.ascontiguousarray(frames[..., ::-1])).permute(0, 3, 1, 2) / 255
        with torch.no_grad():
            value = network.get_submodule("body.0")(rgb)
        largest = max(largest, float(value.abs().max()))
    assert recorded["peak"] == pytest.approx(largest, rel=1e-2)
    assert recorded["limit"] == MAX_HALF
    assert set(recorded) == {"peak", "limit", "value", "frames"}
    assert exported.half is not None
    assert exported.half.magnitude == recorded["peak"]


def test_overflow_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_checkpoint(path, Checkpoint(CONFIG, rescaled(TOO_LARGE).state_dict(), {}))
    with pytest.raises(ExportError, match=r"exceeds the range .* nothing was written"):
        export_checkpoint(path, tmp_path / "m.onnx", ExportConfig(precision="fp16"))
    assert list(tmp_path.iterdir()) == [path]


def test_every_precision_is_judged_on_the_extremes() -> None:
    network = rescaled(SAME)
    model = apply_frame_contract(export_core(network.deploy(), 20), 2)
    judged = {parity.frames for parity in Gate(network).require(model)}
    shown = dict(reference_frames())
    for name, levels in (("white", {255}), ("black", {0}), ("saturated", {0, 255})):
        assert name in judged
        assert set(np.unique(shown[name])) == levels
