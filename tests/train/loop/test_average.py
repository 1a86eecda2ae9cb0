"""The averaged network: its weights, and the statistics of its batch norms."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from framelift.train.config.file import load_config
from framelift.train.loop.average import Average
from framelift.train.loop.trainer import Trainer

CONFIG = """
steps = 6
ema = 0.9
tensorboard = false
[network]
name = "johnson"
scale = 2
channels = 4
blocks = 1
[[loss]]
kind = "pixel"
[data]
crop = 16
batch = 2
"""


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def disturb(net: nn.Sequential) -> None:
    """A step: other weights, and statistics of another batch."""
    net(torch.randn(2, 3, 8, 8) * 3 + 1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn_like(parameter))


def test_weights_and_statistics_are_averaged_alike() -> None:
    net = network()
    average = Average(net, 0.5)
    values = []
    for _ in range(6):
        disturb(net)
        average.update(net)
        values.append({name: value.clone() for name, value in net.state_dict().items()})
    for name, value in average.module.state_dict().items():
        wanted = values[0][name]
        for done, later in enumerate(values[1:], start=1):
            decay = min(0.5, (1 + done) / (10 + done))
            wanted = decay * wanted + (1 - decay) * later[name]
        if name.endswith("num_batches_tracked"):
            assert int(value) == 6
        else:
            torch.testing.assert_close(value, wanted)


def test_without_decay_the_average_is_the_network() -> None:
    net = network()
    average = Average(net, 0.0)
    for _ in range(3):
        disturb(net)
        average.update(net)
    held = average.module.state_dict()
    assert all(torch.equal(held[name], value) for name, value in net.state_dict().items())


def test_early_averages_forget_the_first_weights() -> None:
    net = nn.Linear(1, 1)
    average = Average(net, 0.999)
    with torch.no_grad():
        for step in range(100):
            net.weight.fill_(0.0 if step == 0 else 1.0)
            average.update(net)
    assert float(average.module.state_dict()["weight"]) > 0.99


def test_a_state_of_torchs_averaged_model_is_taken_up() -> None:
    net = network()
    before = torch.optim.swa_utils.AveragedModel(net)
    before.update_parameters(net)
    average = Average(net, 0.9)
    average.load_state_dict(before.state_dict())
    assert int(average.n_averaged) == 1


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Bright and dark photographs, so that few crops say little about all."""
    folder = tmp_path / "photos"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    texture = cv2.GaussianBlur(noise, (0, 0), 2).astype(float) - 128
    for k, level in enumerate((40, 90, 140, 200)):
        cv2.imwrite(str(folder / f"{k}.png"), (texture + level).clip(0, 255).astype(np.uint8))
    return folder


def test_statistics_of_the_average_are_nearer_to_those_of_all_photographs(
    tmp_path: Path, photos: Path
) -> None:
    """Constant weights (a tiny rate), so that the only difference is whose statistics are used."""
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    overrides = ["steps=400", "ema=0.99", "optimizer.lr=1e-9"]
    config = load_config(str(path), overrides, [str(photos)])
    trainer = Trainer(config, tmp_path / "run", torch.device("cpu"))
    live, averaged = [], []
    for report in trainer.reports():
        assert report.images == 2
        live.append(_first_mean(trainer.network))
        averaged.append(_first_mean(trainer.averaged.module))
    true = torch.stack(live[50:]).mean(0)  # of 700 crops

    def error(means: list[torch.Tensor]) -> float:
        return float((torch.stack(means[200:]) - true).square().mean().sqrt())

    assert error(averaged) < 0.7 * error(live)


def _first_mean(network: nn.Module) -> torch.Tensor:
    norm = next(m for m in network.modules() if isinstance(m, nn.BatchNorm2d))
    assert norm.running_mean is not None
    return norm.running_mean.clone()
