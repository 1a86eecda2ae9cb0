"""Checkpoints: self-describing, checked, never unpickled."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from framelift.imaging.errors import CheckpointError, OutputError
from framelift.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from framelift.train.networks import RealtimeConfig, build_network

CONFIG = RealtimeConfig(scale=2, channels=8, layers=1, expansion=1)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "net.safetensors"
    network = build_network(CONFIG)
    save_checkpoint(path, Checkpoint(CONFIG, network.state_dict(), {"steps": 5}))
    return path


def test_round_trip(saved: Path) -> None:
    checkpoint = load_checkpoint(saved)
    assert checkpoint.network_config == CONFIG
    assert checkpoint.training == {"steps": 5}
    network = checkpoint.network()
    assert not network.training
    assert network(torch.rand(1, 3, 5, 5)).shape == (1, 3, 10, 10)
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def header(**changes: object) -> dict[str, str]:
    document: dict[str, object] = {
        "format": 1, "network": {"name": "realtime", "scale": 2, "channels": 8, "layers": 1,
                                 "expansion": 1}, "training": {},
    }  # fmt: skip
    return {"framelift": json.dumps({**document, **changes})}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "not a framelift checkpoint; make one with `framelift train`"),
        (header(format=2), "format 2, this framelift reads up to 1; upgrade"),
        (header(network={"name": "unet"}), "names a network that .* not know .*'unet'"),
        (header(), "weights do not fit the network"),
        ({"framelift": "{"}, "damaged header"),
    ],
)
def test_foreign_files_are_explained(
    tmp_path: Path, metadata: dict[str, str] | None, message: str
) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(2)}, path, metadata)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


def test_missing_truncated_and_text_files_are_explained(tmp_path: Path, saved: Path) -> None:
    with pytest.raises(CheckpointError, match=r"gone: no such file"):
        load_checkpoint(tmp_path / "gone")
    saved.write_bytes(saved.read_bytes()[:500])
    with pytest.raises(CheckpointError, match=r"not a readable \.safetensors file"):
        load_checkpoint(saved)
    saved.write_text("not a checkpoint")
    with pytest.raises(CheckpointError, match=r"not a readable \.safetensors file"):
        load_checkpoint(saved)


def test_unwritable_target_is_explained(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"net\.safetensors: the folder .* does not exist"):
        save_checkpoint(tmp_path / "no" / "net.safetensors", Checkpoint(CONFIG, {}, {}))
