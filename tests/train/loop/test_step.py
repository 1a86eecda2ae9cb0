"""How a step is computed: in parts, in half precision, in another layout; failures explained."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from framelift.common.errors import TrainingError
from framelift.train.config.file import load_config
from framelift.train.config.schema import TrainConfig
from framelift.train.failures import failures_explained
from framelift.train.loop.throughput import measure_throughput
from framelift.train.loop.trainer import Trainer

CPU = torch.device("cpu")

CONFIG = """
steps = 5
log_every = 1
tensorboard = false
[network]
name = "realtime"
scale = 2
channels = 8
layers = 1
expansion = 1
[[loss]]
kind = "pixel"
norm = "l1"
[[loss]]
kind = "tv"
weight = 0.01
[data]
crop = 32
batch = 3
"""


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("step")
    (folder / "photos").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (80, 96, 3), np.uint8)
    cv2.imwrite(str(folder / "photos" / "a.png"), cv2.GaussianBlur(noise, (0, 0), 2))
    (folder / "config.toml").write_text(CONFIG)
    return folder


def settings(setting: Path, *overrides: str) -> TrainConfig:
    return load_config(str(setting / "config.toml"), overrides, [str(setting / "photos")])


def losses(setting: Path, *overrides: str) -> list[dict[str, float]]:
    """The losses of each step of a run."""
    trainer = Trainer(settings(setting, *overrides), setting / "run", CPU)
    return [dict(report.losses) for report in trainer.reports()]


@pytest.mark.parametrize(
    ("overrides", "tolerance"),
    [
        (["compute.accumulate=2"], 1e-4),
        (["compute.accumulate=3"], 1e-4),
        (["compute.channels_last=true"], 1e-4),
        (["compute.amp=bf16"], 6e-2),
        (["compute.amp=fp16"], 1e-2),
        (["compute.amp=bf16", "compute.accumulate=2", "compute.channels_last=true"], 6e-2),
    ],
)
def test_ways_of_computing_give_the_same_losses(
    setting: Path, overrides: list[str], tolerance: float
) -> None:
    plain, other = losses(setting), losses(setting, *overrides)
    for a, b in zip(plain, other, strict=True):
        assert list(a) == list(b) == ["loss", "pixel_l1", "tv"]
        assert list(b.values()) == pytest.approx(list(a.values()), rel=tolerance)


def test_photographs_on_the_device_give_the_same_bits(setting: Path) -> None:
    assert losses(setting, "data.on_device=true") == losses(setting)


@pytest.mark.parametrize("name", ["adam", "muon"])
@pytest.mark.parametrize("clip", [0.0, 0.01])
def test_half_precision_scales_gradients_only_on_the_way(
    setting: Path, clip: float, name: str
) -> None:
    overrides = [f"optimizer.clip_norm={clip}", "steps=1", f"optimizer.name={name}"]
    plain = Trainer(settings(setting, *overrides), setting / "run", CPU)
    half = Trainer(settings(setting, *overrides, "compute.amp=fp16"), setting / "run", CPU)
    for trainer in (plain, half):
        list(trainer.reports())
    weights = zip(plain.network.parameters(), half.network.parameters(), strict=True)
    largest = max(float((a - b).detach().abs().max()) for a, b in weights)
    assert largest <= 2.1e-3  # Adam's first step is of size lr whatever the gradient


@pytest.mark.slow
def test_compiled_network_trains_alike(setting: Path) -> None:
    for a, b in zip(losses(setting), losses(setting, "compute.compile=true"), strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-3)


def test_resuming_in_half_precision_keeps_the_scale(setting: Path, tmp_path: Path) -> None:
    half = settings(setting, "compute.amp=fp16")
    trainer = Trainer(half, tmp_path, CPU)
    trainer.run(quiet=True)
    trainer.stepper.scaler.update(2.0**10)
    trainer.save()
    again = Trainer(half, tmp_path, CPU)
    again.resume()
    assert again.stepper.scaler.get_scale() == 2.0**10


def test_settings_that_change_nothing_may_change_on_resuming(setting: Path, tmp_path: Path) -> None:
    Trainer(settings(setting), tmp_path, CPU).run(quiet=True)
    free = [
        "steps=6",
        "log_every=2",
        f"validation.folder={setting / 'photos'}",
        "data.on_device=true",
        "data.workers=1",
        "data.cache_mb=0",
    ]
    again = Trainer(settings(setting, *free), tmp_path, CPU)
    again.resume()
    assert again.step == 5


@pytest.mark.parametrize(
    "exhaust", [lambda: torch.empty(2**60), lambda: np.empty(2**57)], ids=["torch", "numpy"]
)
def test_out_of_memory_says_what_to_lower(setting: Path, exhaust: object) -> None:
    assert callable(exhaust)
    with (
        pytest.raises(
            TrainingError,
            match=r"out of memory: try compute\.accumulate=2 \(now 1\), a lower data\.batch "
            r"\(now 3\) or data\.crop \(now 32\)",
        ),
        failures_explained(settings(setting)),
    ):
        exhaust()
    with (
        pytest.raises(TrainingError, match=r"out of memory: try a lower data\.batch"),
        failures_explained(settings(setting, "compute.accumulate=3")),
    ):
        exhaust()


def test_out_of_memory_during_a_step_is_explained(
    setting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(settings(setting), setting / "run", CPU)
    monkeypatch.setattr(trainer.stepper, "step", lambda *_: torch.empty(2**60))
    with pytest.raises(TrainingError, match="out of memory: try "):
        list(trainer.reports())


def test_other_failures_stay_what_they_are(setting: Path) -> None:
    with pytest.raises(RuntimeError, match="a bug"), failures_explained(settings(setting)):
        raise RuntimeError("a bug")


def test_throughput_is_measured_without_writing(setting: Path, tmp_path: Path) -> None:
    measured = measure_throughput(settings(setting), CPU, steps=4, warmup=2)
    assert len(measured.step_seconds) == 4
    assert measured.images_per_s == pytest.approx(12 / sum(measured.step_seconds))
    assert 0 <= measured.data_wait_share <= 1
    assert measured.step_ms > 0
    assert not list(tmp_path.iterdir())
