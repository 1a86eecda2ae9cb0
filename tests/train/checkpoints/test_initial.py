"""What a training starts from, and what it then tells of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest
import torch

from framelift.common.errors import CheckpointError, ConfigError
from framelift.train.checkpoints.file import load_checkpoint
from framelift.train.checkpoints.initial import initial_weights
from framelift.train.loop.trainer import Trainer
from framelift.train.networks import CompactConfig, build_network

from ...support.training_runs import CPU, config


def test_fine_tuning_starts_from_a_checkpoint(tmp_path: Path, photos: Path) -> None:
    first = Trainer(config(tmp_path, photos, "steps=2"), tmp_path / "a", CPU).run(quiet=True)
    tuned = Trainer(config(tmp_path, photos, f"init={first}"), tmp_path / "b", CPU)
    weights = load_checkpoint(first).weights
    assert all(torch.equal(tuned.network.state_dict()[name], weights[name]) for name in weights)
    larger = ["network.layers=3", "network.channels=12", "network.expansion=1"]
    grown = Trainer(config(tmp_path, photos, f"init={first}", *larger), tmp_path / "c", CPU)
    image = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(grown.network(image), tuned.network(image), rtol=1e-4, atol=1e-5)
    with pytest.raises(ConfigError, match="contains another network"):
        Trainer(config(tmp_path, photos, f"init={first}", "network.layers=1"), tmp_path / "c", CPU)


def test_a_checkpoint_tells_what_it_started_from(tmp_path: Path, photos: Path) -> None:
    first = Trainer(config(tmp_path, photos, "steps=2"), tmp_path / "a", CPU).run(quiet=True)
    second = config(tmp_path, photos, f"init={first}", "steps=3", "optimizer.lr=1e-5")
    path = Trainer(second, tmp_path / "b", CPU).run(quiet=True)
    told, before = load_checkpoint(path).training, load_checkpoint(first).training
    assert (told["steps"], told["optimizer"]["lr"], told["amp"]) == (3, 1e-5, "off")
    digest = hashlib.sha256(first.read_bytes()).hexdigest()
    assert told["init"] == {
        "name": "a/model.safetensors",
        "sha256": digest,
        "network": msgspec.to_builtins(load_checkpoint(first).network_config),
        "training": before,
    }
    assert "init" not in before


def test_a_resumed_run_still_tells_what_it_started_from(tmp_path: Path, photos: Path) -> None:
    first = Trainer(config(tmp_path, photos, "steps=2"), tmp_path / "a", CPU).run(quiet=True)
    path = Trainer(config(tmp_path, photos, f"init={first}"), tmp_path / "b", CPU).run(quiet=True)
    told = load_checkpoint(path).training["init"]
    first.unlink()  # nothing of it is needed any more
    longer = Trainer(
        config(tmp_path, photos, f"init={first}", "steps=9"), path.parent, CPU, resumes=True
    )
    assert load_checkpoint(longer.run(quiet=True)).training["init"] == told


def test_fine_tuning_starts_from_a_community_file(tmp_path: Path, photos: Path) -> None:
    compact = CompactConfig(scale=2, num_feat=6, num_conv=1)
    weights = build_network(compact).state_dict()
    file = tmp_path / "community.pth"
    torch.save({"params_ema": weights}, file)
    network = 'network={name="compact", scale=2, num_feat=6, num_conv=1}'
    tuned = Trainer(config(tmp_path, photos, network, f"init={file}"), tmp_path / "a", CPU)
    assert all(torch.equal(tuned.network.state_dict()[name], weights[name]) for name in weights)
    with pytest.raises(ConfigError, match=r"contains another network: CompactConfig\(scale=2, "):
        initial_weights(file, CompactConfig(scale=2, num_feat=6, num_conv=2))
    torch.save({"params": {"conv.weight": torch.zeros(1)}}, file)
    with pytest.raises(CheckpointError, match="not a state dict of SRVGGNetCompact"):
        initial_weights(file, compact)
    torch.save([1], file)
    with pytest.raises(CheckpointError, match="not a PyTorch state dict"):
        initial_weights(file, compact)
    file.write_bytes(b"x")
    with pytest.raises(CheckpointError, match="not a PyTorch state dict"):
        initial_weights(file, compact)
    with pytest.raises(CheckpointError, match=r"gone\.pth: no such file"):
        initial_weights(tmp_path / "gone.pth", compact)


def test_weights_that_are_not_finite_are_no_start(tmp_path: Path, photos: Path) -> None:
    weights = build_network(CompactConfig(scale=2, num_feat=6, num_conv=1)).state_dict()
    weights["body.0.bias"][0] = float("nan")
    torch.save({"params": weights}, tmp_path / "community.pth")
    network = 'network={name="compact", scale=2, num_feat=6, num_conv=1}'
    settings = config(tmp_path, photos, network, f"init={tmp_path / 'community.pth'}")
    with pytest.raises(
        CheckpointError, match=r"community\.pth: body\.0\.bias contains numbers that"
    ):
        Trainer(settings, tmp_path / "run", CPU)


def test_weights_in_eight_bits_are_looked_through(tmp_path: Path, photos: Path) -> None:
    weights = build_network(CompactConfig(scale=2, num_feat=6, num_conv=1)).state_dict()
    small = {name: tensor.to(torch.float8_e4m3fn) for name, tensor in weights.items()}
    torch.save({"params": small}, tmp_path / "community.pth")
    network = 'network={name="compact", scale=2, num_feat=6, num_conv=1}'
    settings = config(tmp_path, photos, network, f"init={tmp_path / 'community.pth'}")
    trainer = Trainer(settings, tmp_path / "run", CPU)
    wanted = small["body.0.weight"].float()
    assert torch.equal(trainer.network.state_dict()["body.0.weight"], wanted)


@pytest.mark.parametrize("name", ["folder", "folder.pth"])
def test_a_folder_is_no_start(tmp_path: Path, photos: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(CheckpointError, match=rf"{name}: is a folder; name a file"):
        Trainer(config(tmp_path, photos, f"init={tmp_path / name}"), tmp_path / "run", CPU)


@pytest.mark.parametrize("spoil", ["size", "missing"])
def test_a_community_file_that_does_not_fit_is_named(
    tmp_path: Path, photos: Path, spoil: str
) -> None:
    weights = build_network(CompactConfig(scale=2, num_feat=6, num_conv=1)).state_dict()
    name = next(name for name in weights if name.endswith(".bias"))
    if spoil == "size":
        weights[name] = torch.zeros(5)
    else:
        del weights[name]
    file = tmp_path / "community.pth"
    torch.save({"params": weights}, file)
    network = 'network={name="compact", scale=2, num_feat=6, num_conv=1}'
    with pytest.raises(CheckpointError) as refused:
        Trainer(config(tmp_path, photos, network, f"init={file}"), tmp_path / "run", CPU)
    assert str(refused.value).startswith(f"init {file}: weights do not fit the network (")
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)
