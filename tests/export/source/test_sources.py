"""What can be exported, community models included, and every way in which it cannot."""

from __future__ import annotations

import os
import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from torch import Tensor, nn

from framelift.cli.main import framelift
from framelift.common.errors import (
    CheckpointError,
    ConfigError,
    ExportError,
    FrameliftError,
    OutputError,
)
from framelift.export.check.targets import parse_targets
from framelift.export.config import ExportConfig
from framelift.export.exporter import export_checkpoint
from framelift.export.parity.comparison import reference_frames
from framelift.export.source.load import load_source
from framelift.runtime import Upscaler
from framelift.runtime.models.file import read_spec
from framelift.train.checkpoints.file import Checkpoint, save_checkpoint
from framelift.train.networks import Realtime, RealtimeConfig

CONFIG = RealtimeConfig(scale=2, channels=8, layers=1, expansion=1)


def compact() -> dict[str, Tensor]:
    """Weights of a small Real-ESRGAN compact model, x2."""
    sizes = [(3, 8), (8, 8), (8, 12)]
    weights: dict[str, Tensor] = {}
    for index, (inputs, outputs) in enumerate(sizes):
        conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        weights |= {f"body.{2 * index}.{k}": v for k, v in conv.state_dict().items()}
        if index < 2:
            weights[f"body.{2 * index + 1}.weight"] = torch.full((outputs,), 0.2)
    return weights


def made_by(module: str, name: str, **hyper: int | float) -> dict[str, Tensor]:
    spandrel = pytest.importorskip(f"spandrel.architectures.{module}")
    return dict(getattr(spandrel, name)(**hyper).state_dict())


def esrgan_unshuffled() -> dict[str, Tensor]:
    """The layout of RealESRGAN_x2plus: frames are unshuffled first, so sizes must be even."""
    return made_by(
        "ESRGAN.__arch.RRDB",
        "RRDBNet",
        num_filters=8,
        num_blocks=1,
        scale=4,
        shuffle_factor=2,
        in_nc=12,
    )


def span() -> dict[str, Tensor]:
    return made_by(
        "SPAN.__arch.span", "SPAN", num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=2
    )


@pytest.mark.parametrize(
    ("make", "suffix", "multiple", "halo"),
    [
        (compact, ".safetensors", 1, 3),
        pytest.param(esrgan_unshuffled, ".pth", 4, 38, marks=pytest.mark.slow),
        (span, ".pth", 1, 21),
    ],
    ids=["compact", "esrgan-x2plus", "span"],
)
def test_community_models_come_out_as_framelift_models(
    tmp_path: Path,
    make: Callable[[], dict[str, Tensor]],
    suffix: str,
    multiple: int,
    halo: int,
) -> None:
    pytest.importorskip("spandrel")
    torch.manual_seed(0)
    source = tmp_path / f"model{suffix}"
    if suffix == ".pth":
        torch.save({"params_ema": make()}, source)
    else:
        save_file(make(), source)
    exported = export_checkpoint(source, tmp_path / "model.onnx")
    spec = read_spec(exported.path)
    assert (spec.scale, spec.size_multiple, spec.halo) == (2, multiple, halo)
    frame = reference_frames()[1][1][0]  # of odd size
    with Upscaler.load(exported.path, "onnx-cpu") as upscaler:
        assert upscaler(frame).shape == (130, 142, 3)


def nested(key: str) -> Callable[[dict[str, Tensor]], dict[str, Any]]:
    return lambda weights: {"epoch": 3, "optimizer": {"step": 1}, key: weights}


def prefixed(prefix: str) -> Callable[[dict[str, Tensor]], dict[str, Any]]:
    return lambda weights: {prefix + name: tensor for name, tensor in weights.items()}


def in_the_middle(weights: dict[str, Tensor]) -> dict[str, Any]:
    return {name.replace("body.", "body._orig_mod."): tensor for name, tensor in weights.items()}


def both_sets(weights: dict[str, Tensor]) -> dict[str, Any]:
    """The averaged weights are those to take."""
    noisy = {f"params.{name}": torch.zeros_like(tensor) for name, tensor in weights.items()}
    return {**noisy, **{f"params_ema.{name}": tensor for name, tensor in weights.items()}}


@pytest.mark.parametrize(
    "wrap",
    [
        prefixed("_orig_mod."),
        prefixed("module."),
        prefixed("module._orig_mod."),
        prefixed("params_ema."),
        prefixed("netG."),
        in_the_middle,
        both_sets,
        nested("weights"),
        nested("params_ema"),
        lambda weights: nested("state_dict")(prefixed("module.")(weights)),
        lambda weights: {"ema": weights, "params": {}},
    ],
)
def test_weights_are_found_however_trainers_wrap_them(
    tmp_path: Path, wrap: Callable[[dict[str, Tensor]], dict[str, Any]]
) -> None:
    pytest.importorskip("spandrel")
    weights = compact()
    path = tmp_path / "model.pth"
    torch.save(wrap(weights), path)
    loaded = load_source(path)
    assert loaded.description["name"] == "Compact"
    found = dict(loaded.network.state_dict())
    assert all(torch.equal(found[name], tensor) for name, tensor in weights.items())


def test_a_network_whose_own_keys_begin_like_a_wrapper_keeps_them(tmp_path: Path) -> None:
    """ESRGAN's first form begins with `model.`, as Lightning's prefix does."""
    pytest.importorskip("spandrel")
    weights = made_by(
        "ESRGAN.__arch.RRDB", "RRDBNet", in_nc=3, out_nc=3, num_filters=8, num_blocks=1, scale=2
    )
    assert all(name.startswith("model.") for name in weights)
    for wrap in (prefixed(""), prefixed("model."), prefixed("module.")):
        torch.save(wrap(weights), tmp_path / "model.pth")
        assert load_source(tmp_path / "model.pth").description["name"] == "ESRGAN"


def test_weights_that_are_not_found_are_named(tmp_path: Path) -> None:
    pytest.importorskip("spandrel")
    path = tmp_path / "model.pth"
    torch.save({"epoch": 3, "discriminator": {"a": torch.zeros(1)}, "b": {"c": 1}}, path)
    message = (
        r"contains no tensors under a key known for weights, but 'epoch', 'discriminator', 'b'"
    )
    with pytest.raises(CheckpointError, match=message):
        load_source(path)
    torch.save({"encoder.1.weight": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match=r"it contains 'encoder\.1\.weight'$"):
        load_source(path)


def test_span_with_merged_branches_is_the_same_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    whole = span()
    path = tmp_path / "span.pth"
    torch.save({"params": whole}, path)
    wanted = load_source(path).deployed
    merged = {
        name: tensor
        for name, tensor in wanted.state_dict().items()
        if ".sk." not in name and not re.search(r"\.conv\.\d\.", name)
    }
    assert "conv_1.eval_conv.weight" in merged
    torch.save(merged, path)
    loaded = load_source(path)
    frames = torch.rand(1, 3, 20, 24)
    with torch.inference_mode():
        assert torch.allclose(loaded.network(frames), wanted(frames), atol=1e-6)
        assert torch.allclose(loaded.deployed(frames), wanted(frames), atol=1e-6)


class Bomb:
    """Unpickling it would run a command."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("exploded",)


def write_bomb(path: Path) -> None:
    path.write_bytes(pickle.dumps({"params": Bomb()}))


def write_other_tensors(path: Path) -> None:
    torch.save({"some.weight": torch.zeros(3)}, path)


def write_nan(path: Path) -> None:
    weights = compact()
    weights["body.2.weight"][3, 1] = torch.nan
    torch.save({"params": weights}, path)


def write_cut_short(path: Path) -> None:
    torch.save({"params": compact()}, path)
    path.write_bytes(path.read_bytes()[:1000])


def write_text(path: Path) -> None:
    path.write_text("this is no checkpoint")


def write_empty(path: Path) -> None:
    path.write_bytes(b"")


def write_whole_network(path: Path) -> None:
    torch.save(nn.Conv2d(3, 3, 1), path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (
            write_bomb,
            "contains more than tensors, or is not a checkpoint; pickled code is never executed",
        ),
        (write_other_tensors, "fit no network that is known here"),
        (write_cut_short, "cannot be read"),
        (write_nan, r"body\.2\.weight contains NaN or infinity"),
        (write_text, "cannot be read|contains more than tensors"),
        (write_empty, "cannot be read"),
        (write_whole_network, "pickled code is never executed"),
    ],
)
def test_bad_community_files_are_one_line_and_execute_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[Path], None],
    message: str,
) -> None:
    pytest.importorskip("spandrel")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.pth"
    write(path)
    with pytest.raises(CheckpointError, match=message) as caught:
        export_checkpoint(path, tmp_path / "model.onnx")
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["model.pth"]


def test_community_models_without_spandrel_name_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", None)
    path = tmp_path / "model.safetensors"
    save_file(compact(), path)
    with pytest.raises(FrameliftError, match=r"pip install 'framelift\[community\]'"):
        load_source(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("net.bin", b"x", "not a checkpoint by its name; use .safetensors, .pth"),
        ("net.safetensors", b"\x08\0\0\0\0\0\0\0{}      x", "safetensors"),
        ("net.safetensors", b"short", "not a readable .safetensors file"),
    ],
)
def test_files_of_other_formats(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        load_source(path)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "net.safetensors"
    save_checkpoint(path, Checkpoint(CONFIG, Realtime(CONFIG).state_dict(), {}))
    return path


def test_a_checkpoint_cut_short_is_refused(checkpoint: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"not a readable \.safetensors file"):
        load_source(checkpoint)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fixed", "1080"], "'1080' is not a size: write height and width as HxW"),
        (["--fixed", "0x64"], "size is 0x64: sides start at 1"),
        (["--max-drop", "0.15"], "--max-drop are for --precision int8: pass it, too"),
        (["--quality-set", "set5"], "--quality-set and --max-drop are for --precision int8"),
        (["--batch", "0"], "batch is 0: use 1 or more"),
        (
            ["--target", "tensorflow"],
            r"unknown target 'tensorflow' \(did you mean tensorrt11\?\): use",
        ),
        (["--target", "onnxruntime==1"], "versions before 1.19 are not known"),
        (["--target", "onnxruntime==new"], "is not a version such as 1.24"),
        (["--target", "tensorrt10==11.3"], "11.3 is of TensorRT 11, another target"),
    ],
)
def test_options_that_make_no_sense(checkpoint: Path, arguments: list[str], message: str) -> None:
    command = ["export", str(checkpoint), *arguments]
    with pytest.raises(ConfigError, match=message):
        CliRunner().invoke(framelift, command, standalone_mode=False, catch_exceptions=False)
    assert [path.name for path in checkpoint.parent.iterdir()] == ["net.safetensors"]


def test_a_folder_is_no_checkpoint() -> None:
    with pytest.raises(CheckpointError, match=r"checkpoint \.: is a folder"):
        CliRunner().invoke(
            framelift, ["export", "."], standalone_mode=False, catch_exceptions=False
        )


def test_the_target_sets_the_limit_of_the_opset(checkpoint: Path) -> None:
    config = ExportConfig(opset=23, targets=("onnxruntime==1.20",))
    message = "opset 23: ONNX Runtime 1.20 takes 7 to 21; the nearest that works is 21"
    with pytest.raises(ExportError, match=message):
        export_checkpoint(checkpoint, checkpoint.with_name("m.onnx"), config)


def test_the_command_exports_and_says_what_it_measured(checkpoint: Path) -> None:
    command = ["export", str(checkpoint), "--fixed", "48x64", "--batch", "2", "--precision", "fp16"]
    result = CliRunner().invoke(framelift, command, catch_exceptions=False)
    assert result.exit_code == 0
    assert "photograph 2×48×64" in result.output
    assert "on CPUs Framelift computes it in float32" in result.output
    spec = read_spec(checkpoint.with_suffix(".onnx"))
    assert (spec.frame_shape, spec.precision) == ((2, 48, 64), "fp16")


def test_a_file_that_grows_too_large_leaves_nothing(checkpoint: Path) -> None:
    import resource  # not on Windows

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OutputError, match="larger than this system allows; nothing was left"):
            export_checkpoint(checkpoint, checkpoint.with_name("m.onnx"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in checkpoint.parent.iterdir()] == ["net.safetensors"]


def test_sizes_that_cannot_be_run_are_refused(checkpoint: Path) -> None:
    with pytest.raises(ExportError, match="1 × 60000x60000: the upscaled frames have more"):
        export_checkpoint(
            checkpoint, checkpoint.with_name("m.onnx"), ExportConfig(size=(60000, 60000))
        )


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["onnxruntime==1.19", "onnxruntime==1.24"], "are one tool: name it once"),
        (["onnxruntime=="], "names no version"),
    ],
)
def test_versions_of_targets_that_contradict_or_lack(targets: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_targets(targets)


def test_the_target_must_be_an_onnx_file(checkpoint: Path) -> None:
    with pytest.raises(OutputError, match=r"must end in \.onnx"):
        export_checkpoint(checkpoint, checkpoint.with_name("m.engine"))
