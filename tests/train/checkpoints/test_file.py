"""Checkpoints: self-describing, checked, never unpickled."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from framelift.common.errors import CheckpointError, OutputError
from framelift.export.source.load import load_source
from framelift.train.checkpoints.file import Checkpoint, load_checkpoint, save_checkpoint
from framelift.train.networks import (
    JohnsonConfig,
    NetworkConfig,
    RealtimeConfig,
    StyleConfig,
    build_network,
)

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
        "format": 1,
        "network": {"name": "realtime", "scale": 2, "channels": 8, "layers": 1, "expansion": 1},
        "training": {},
    }
    return {"framelift": json.dumps({**document, **changes})}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "not a framelift checkpoint; make one with `framelift train`"),
        (header(format=2), "format 2, this framelift reads up to 1; upgrade"),
        (header(network={"name": "unet"}), "names a network that .* not know .*'unet'"),
        (header(), "weights do not fit the network"),
        ({"framelift": "{"}, "damaged header"),
        ({"framelift": 100_000 * "["}, r"damaged header \((maximum recursion|Stack overflow)"),
        ({"framelift": '{"format": 1e999, "network": {}, "training": {}}'}, "damaged header"),
        ({"framelift": '{"format": true, "network": {}, "training": {}}'}, "damaged header"),
        ({"framelift": '{"format": 1, "network": {}}'}, r"damaged header \('training'\)"),
        (header(training=[["steps", 1]]), "training is not a JSON object"),
        (header(training={"a": json.loads(100 * "[" + 100 * "]")}), "one without end"),
    ],
)
def test_foreign_files_are_explained(
    tmp_path: Path, metadata: dict[str, str] | None, message: str
) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(2)}, path, metadata)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "asked",
    [
        {"name": "realtime", "layers": 10**8},
        {"name": "compact", "num_conv": 10**8},
        {"name": "johnson", "blocks": 10**8},
        {"name": "style", "blocks": 10**8},
        {"name": "realtime", "channels": 10**6},
        {"name": "johnson", "channels": 10**9, "blocks": 1},
        {"name": "compact", "num_feat": 2**62, "num_conv": 1},
        {"name": "realtime", "expansion": 10**18, "layers": 1},
        {"name": "style", "channels": 10**30, "blocks": 1},
    ],
)
def test_a_header_gets_no_more_than_its_file_is_worth(
    saved: Path, asked: dict[str, object]
) -> None:
    weights = load_checkpoint(saved).weights
    save_file(weights, saved, header(network=asked))
    started = time.process_time()
    with pytest.raises(CheckpointError, match="weights do not fit the network") as caught:
        load_checkpoint(saved)
    assert time.process_time() - started < 2
    assert "\n" not in str(caught.value)


def test_mutated_headers_load_or_are_explained_in_one_line(saved: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = saved.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    path, messages = tmp_path / "mutated.safetensors", []
    for _ in range(300):
        data = bytearray(whole)
        for place in rng.integers(0, 8 + length, rng.integers(1, 4)):
            data[place] = rng.integers(32, 127) if rng.random() < 0.7 else rng.integers(256)
        path.write_bytes(data)
        try:
            load_checkpoint(path)
        except CheckpointError as error:
            messages.append(str(error))
    assert len(messages) > 200
    assert not any("\n" in message or len(message) > 1000 for message in messages)


@pytest.mark.parametrize("network", [CONFIG, JohnsonConfig(channels=4), StyleConfig(channels=4)])
def test_weights_that_lost_their_header_are_recognised(
    tmp_path: Path, network: NetworkConfig
) -> None:
    path = tmp_path / "resaved.safetensors"
    save_file(build_network(network).state_dict(), path)
    with pytest.raises(CheckpointError, match=r"weights of Framelift's network .* without the hea"):
        load_checkpoint(path)
    with pytest.raises(CheckpointError, match="without the header that describes it"):
        load_source(path)


def test_weights_that_are_not_finite_are_neither_read_nor_written(saved: Path) -> None:
    before, checkpoint = saved.read_bytes(), load_checkpoint(saved)
    checkpoint.weights["head.bias"][0] = torch.nan
    with pytest.raises(CheckpointError, match=r"not written, head\.bias contains NaN or infinity"):
        save_checkpoint(saved, checkpoint)
    assert saved.read_bytes() == before
    save_file(checkpoint.weights, saved, header())
    with pytest.raises(CheckpointError, match=r"head\.bias contains NaN or infinity; its training"):
        load_checkpoint(saved)


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
