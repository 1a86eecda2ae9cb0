"""Ten community architectures with weights that all matter: parity, sizes, reach, and why not."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from framelift.export.exporter import export_checkpoint
from framelift.export.parity.comparison import reference_frames
from framelift.export.reach.whole_frame import why_whole
from framelift.runtime import Upscaler
from framelift.runtime.models.file import WHOLE_FRAME, read_spec


@dataclass(frozen=True)
class Case:
    """An architecture of spandrel at its smallest, ×2, and what comes out of it.

    `whole` is why it is never tiled, "" if it is.
    """

    module: str
    name: str
    hyper: dict[str, Any] = field(default_factory=dict)
    multiple: int = 1
    batch: int | None = None
    whole: str = ""


NORMS = "a norm over the whole frame"
CASES = {
    "compact": Case(
        "Compact.__arch.SRVGG",
        "SRVGGNetCompact",
        {"num_in_ch": 3, "num_out_ch": 3, "num_feat": 8, "num_conv": 2, "upscale": 2},
    ),
    "span": Case(
        "SPAN.__arch.span",
        "SPAN",
        {"num_in_ch": 3, "num_out_ch": 3, "feature_channels": 8, "upscale": 2},
    ),
    "plksr": Case(
        "PLKSR.__arch.PLKSR",
        "PLKSR",
        {"dim": 16, "n_blocks": 1, "upscaling_factor": 2, "kernel_size": 7},
    ),
    "realplksr": Case(
        "PLKSR.__arch.RealPLKSR",
        "RealPLKSR",
        {"dim": 16, "n_blocks": 1, "upscaling_factor": 2, "kernel_size": 7},
        whole=NORMS,
    ),
    "realplksr-layer-norm": Case(
        "PLKSR.__arch.RealPLKSR",
        "RealPLKSR",
        {
            "dim": 16,
            "n_blocks": 1,
            "upscaling_factor": 2,
            "kernel_size": 7,
            "layer_norm": True,
            "dysample": True,
        },
    ),
    "esrgan": Case(
        "ESRGAN.__arch.RRDB",
        "RRDBNet",
        {"in_nc": 3, "out_nc": 3, "num_filters": 8, "num_blocks": 1, "scale": 2},
    ),
    "safmn": Case(
        "SAFMN.__arch.safmn",
        "SAFMN",
        {"dim": 16, "n_blocks": 1, "upscaling_factor": 2},
        multiple=8,
    ),
    "swinir-light": Case(
        "SwinIR.__arch.SwinIR",
        "SwinIR",
        {
            "img_size": 32,
            "embed_dim": 12,
            "depths": [2],
            "num_heads": [2],
            "window_size": 8,
            "mlp_ratio": 2,
            "upscale": 2,
            "upsampler": "pixelshuffledirect",
        },
        multiple=8,
        batch=1,
    ),
    "omnisr": Case(
        "OmniSR.__arch.OmniSR",
        "OmniSR",
        {"num_feat": 8, "up_scale": 2},
        multiple=8,
        batch=1,
        whole="global pooling and attention",
    ),
    "dat-light": Case(
        "DAT.__arch.DAT",
        "DAT",
        {
            "embed_dim": 32,
            "split_size": [4, 8],
            "depth": [2],
            "num_heads": [2],
            "expansion_factor": 2,
            "upscale": 2,
            "upsampler": "pixelshuffledirect",
            "img_size": 32,
        },
        multiple=8,
        batch=1,
        whole="attention and global pooling",
    ),
    "atd-light": Case(
        "ATD.__arch.atd_arch",
        "ATD",
        {
            "embed_dim": 48,
            "depths": (2,),
            "num_heads": (2,),
            "window_size": 8,
            "category_size": 128,
            "num_tokens": 16,
            "reducted_dim": 4,
            "upscale": 2,
            "upsampler": "pixelshuffledirect",
            "img_size": 32,
        },
        multiple=8,
        batch=1,
        whole="attention",
    ),
}
QUICK = ("plksr", "realplksr")


def checkpoint(case: Case, path: Path) -> Path:
    """Weights of a size at which every layer changes the picture.

    As they are initialised, many add next to nothing, and what is wrong in them does not show.
    """
    pytest.importorskip("spandrel")
    torch.manual_seed(0)
    module = importlib.import_module(f"spandrel.architectures.{case.module}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about what PyTorch will change some day
        network = getattr(module, case.name)(**case.hyper)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.dim() > 1 and "scale" not in name and "temperature" not in name:
                weight.copy_(torch.randn(weight.shape) * (0.7 / weight[0].numel() ** 0.5))
    torch.save({"params_ema": network.state_dict()}, path)
    return path


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CASES],
)
def test_an_architecture_comes_out_as_it_computes(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    source = checkpoint(case, tmp_path / f"{name}.pth")
    notes: list[str] = []
    exported = export_checkpoint(source, tmp_path / "model.onnx", say=notes.append)
    assert all(parity.max_difference <= 2 for parity in exported.parity)
    spec = read_spec(exported.path)
    assert (spec.scale, spec.size_multiple, spec.frame_shape[0]) == (2, case.multiple, case.batch)
    assert (spec.halo == WHOLE_FRAME) is bool(case.whole)
    whole = [note for note in notes if "never run in tiles" in note]
    assert [note.startswith(case.whole) for note in whole] == ([True] if case.whole else [])
    frame = reference_frames()[1][1][0]  # of odd size
    with Upscaler.load(exported.path, "onnx-cpu") as upscaler:
        untiled = upscaler(frame)
    assert untiled.shape == (130, 142, 3)
    if not case.whole:
        tile = 2 * spec.halo + 2 * spec.size_multiple + 8
        tile += -tile % spec.size_multiple
        with Upscaler.load(exported.path, "onnx-cpu", tile=tile) as upscaler:
            assert np.abs(upscaler(frame).astype(int) - untiled).max() <= 1


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (
            helper.make_node("InstanceNormalization", ["x", "g", "b"], ["y"]),
            "a norm over the whole",
        ),
        (helper.make_node("GlobalAveragePool", ["x"], ["y"]), "global pooling"),
        (helper.make_node("ReduceMean", ["x", "rows_and_columns"], ["y"]), "global pooling"),
        (helper.make_node("Softmax", ["x"], ["y"], axis=-1), "attention"),
        (helper.make_node("ReduceMean", ["x", "channels"], ["y"]), "every pixel may depend"),
    ],
)
def test_why_a_model_is_never_tiled(node: onnx.NodeProto, message: str) -> None:
    tensor = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    weights = [
        onnx.numpy_helper.from_array(np.ones(3, np.float32), "g"),
        onnx.numpy_helper.from_array(np.zeros(3, np.float32), "b"),
        onnx.numpy_helper.from_array(np.array([-2, -1]), "rows_and_columns"),
        onnx.numpy_helper.from_array(np.array([1]), "channels"),
    ]
    graph = helper.make_graph([node], "g", [tensor], [output], weights)
    assert why_whole(helper.make_model(graph)).startswith(message)
