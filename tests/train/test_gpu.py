"""Training on an NVIDIA GPU gives what it gives on the CPU."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from framelift.train.config.file import load_config
from framelift.train.loop.trainer import Trainer

pytestmark = pytest.mark.gpu

CONFIG = """
steps = 5
tensorboard = false
[[loss]]
kind = "pixel"
[data]
crop = 32
batch = 4
[network]
scale = 2
"""


def losses(folder: Path, device: str, *overrides: str) -> list[float]:
    config = load_config(str(folder / "config.toml"), overrides, [str(folder)])
    trainer = Trainer(config, folder / "run", torch.device(device))
    return [report.losses["loss"] for report in trainer.reports()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (120, 120, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), cv2.GaussianBlur(noise, (0, 0), 2))
    (tmp_path / "config.toml").write_text(CONFIG)
    return tmp_path


@pytest.mark.parametrize(
    ("overrides", "tolerance"),
    [
        ([], 0.02),  # convolutions may run in TF32
        (["compute.channels_last=true", "compute.amp=bf16"], 0.1),
        (["compute.amp=fp16", "compute.accumulate=2"], 0.1),
    ],
)
@pytest.mark.parametrize("network", ['"realtime"', '"compact", num_feat=16, num_conv=2'])
def test_losses_are_those_of_the_cpu(
    folder: Path, network: str, overrides: list[str], tolerance: float
) -> None:
    chosen = f"network={{name={network}, scale=2}}"
    on_cpu, on_gpu = losses(folder, "cpu", chosen), losses(folder, "cuda", chosen, *overrides)
    assert on_gpu == pytest.approx(on_cpu, rel=tolerance)


@pytest.mark.parametrize("degradation", ["bicubic", "johnson", "codec"])
def test_degradations_run_on_the_device_and_repeat(folder: Path, degradation: str) -> None:
    overrides = ['network={name="realtime", scale=2}', f"data.degradation={degradation}", "steps=2"]
    first, again = losses(folder, "cuda", *overrides), losses(folder, "cuda", *overrides)
    assert first == pytest.approx(again, rel=1e-4)
