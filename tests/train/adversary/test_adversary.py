"""A discriminator beside the network: both learn, and a run goes on exactly where it stopped."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from framelift.common.errors import ConfigError, Interrupted
from framelift.train.adversary.discriminators import build_discriminator
from framelift.train.adversary.objectives import (
    discriminator_loss,
    gradient_penalty,
    network_loss,
)
from framelift.train.adversary.spectral import SpectralConv2d
from framelift.train.checkpoints.file import load_checkpoint
from framelift.train.config.file import load_config
from framelift.train.config.schema import TrainConfig
from framelift.train.loop.trainer import Trainer

from ...support.training_runs import CONFIG, CPU, config, history, interrupt_after

TERM = """
[[loss]]
kind = "adversarial"
channels = 4
weight = 0.1
r1_every = 3
"""


def adversarial(tmp_path: Path, photos: Path, *overrides: str) -> TrainConfig:
    path = tmp_path / "adversarial.toml"
    path.write_text(CONFIG + TERM)
    return load_config(str(path), overrides, [str(photos)])


def test_objectives() -> None:
    fake, real = torch.tensor([0.0, 1.0]), torch.tensor([2.0, -1.0])
    both = math.log1p(math.exp(2)), math.log1p(math.exp(-2))
    assert float(network_loss("relativistic", fake, real)) == pytest.approx(sum(both) / 2)
    assert float(discriminator_loss("relativistic", fake, real)) == pytest.approx(sum(both) / 2)
    assert float(network_loss("hinge", fake, real)) == -0.5
    assert float(discriminator_loss("hinge", fake, real)) == (0 + 2) / 2 + (1 + 2) / 2


@pytest.mark.parametrize("places", [1, 4])
def test_the_gradient_penalty_is_that_of_a_linear_discriminator(places: int) -> None:
    class Linear(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            logits = 255 * (3 * images[:, :1] - 4 * images[:, 1:2])
            return nn.functional.avg_pool2d(logits, places)

    penalty = gradient_penalty(Linear(), torch.rand(2, 3, 8, 8))
    assert penalty.item() == pytest.approx(12.5)


def test_kernels_have_norm_one_and_no_pass_changes_them() -> None:
    torch.manual_seed(0)
    layer = SpectralConv2d(3, 8, 3)
    images = torch.rand(1, 3, 8, 8)
    before = layer.u.clone()
    first = layer(images)
    with torch.autocast("cpu", torch.bfloat16):
        layer(images)
    assert torch.equal(layer.u, before)
    assert torch.equal(layer(images), first)
    for _ in range(100):
        layer.iterate()
    largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
    assert layer.bias is not None
    bias = layer.bias[:, None, None]
    expected = nn.functional.conv2d(images, layer.weight / largest, padding=1) + bias
    torch.testing.assert_close(layer(images), expected, rtol=1e-4, atol=1e-5)


def test_places_that_a_discriminator_judges() -> None:
    images = torch.rand(2, 3, 36, 40)  # no multiples of 8
    unet, patch = (build_discriminator(kind, 4)(images) for kind in ("unet", "patch"))
    assert unet.shape == (2, 1, 36, 40)
    assert patch.shape == (2, 1, 4, 5)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ['loss.1.network="patch"', 'loss.1.objective="hinge"', "compute.amp=bf16"],
        ["compute.accumulate=2", "compute.channels_last=true", "schedule.kind=constant"],
    ],
    ids=["unet", "patch", "parts"],
)
def test_resuming_is_exact(tmp_path: Path, photos: Path, overrides: list[str]) -> None:
    settings = adversarial(tmp_path, photos, *overrides)
    whole = Trainer(settings, tmp_path / "whole", CPU)
    whole.run(quiet=True)
    first = Trainer(settings, tmp_path / "parts", CPU)
    interrupt_after(first, steps=5)
    with pytest.raises(Interrupted):
        first.run(quiet=True)
    second = Trainer(settings, tmp_path / "parts", CPU, resumes=True)
    second.run(quiet=True)
    a, b = (load_checkpoint(tmp_path / run / "model.safetensors") for run in ("whole", "parts"))
    assert all(torch.equal(a.weights[name], b.weights[name]) for name in a.weights)
    assert whole.stepper.adversary is not None
    assert second.stepper.adversary is not None
    ours, theirs = (
        trainer.stepper.adversary.state()["discriminator"]  # type: ignore[union-attr]
        for trainer in (whole, second)
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    logged = history(tmp_path / "whole")
    assert {
        "adversarial",
        "discriminator",
        "discriminator_r1",
        "discriminator_margin",
    } <= set(logged[0])
    assert max(record["discriminator_r1"] for record in logged) > 0


def test_parts_of_a_batch_make_the_step_of_the_whole(tmp_path: Path, photos: Path) -> None:
    states = []
    for parts in (1, 2):
        settings = adversarial(tmp_path, photos, f"compute.accumulate={parts}", "steps=1")
        trainer = Trainer(settings, tmp_path / str(parts), CPU)
        trainer.run(quiet=True)
        assert trainer.stepper.adversary is not None
        gradients = [p.grad for p in trainer.stepper.adversary.discriminator.parameters()]
        states.append((trainer.network.state_dict(), gradients, history(tmp_path / str(parts))))
    (one, of_one, logs), (two, of_two, other_logs) = states
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-4, atol=1e-6)
    for ours, theirs in zip(of_one, of_two, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-6)
    for name in ("loss", "adversarial", "discriminator", "discriminator_r1"):
        assert logs[0][name] == pytest.approx(other_logs[0][name], rel=1e-4)


def test_a_step_without_finite_gradients_changes_neither(tmp_path: Path, photos: Path) -> None:
    trainer = Trainer(adversarial(tmp_path, photos), tmp_path / "run", CPU)
    adversary = trainer.stepper.adversary
    assert adversary is not None
    with torch.no_grad():
        last = adversary.discriminator.last
        assert isinstance(last, nn.Conv2d)
        last.weight.mul_(1e20)  # finite logits, whose penalty is not
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    kept = last.weight.clone()
    report = next(trainer.reports())
    assert not report.kept
    assert torch.equal(last.weight, kept)
    after = trainer.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def fine(images: Tensor) -> Tensor:
    """What is beyond the limit of an input of half the size."""
    means = nn.functional.avg_pool2d(images, 2)
    return images - nn.functional.interpolate(means, scale_factor=2)


def test_a_texture_that_a_pixel_loss_cannot_learn(tmp_path: Path) -> None:
    """The reduced picture does not say which pixels of the finest stripes are bright: the nearest
    output is plain, and only the discriminator asks for stripes.
    """
    photos = tmp_path / "photos"
    photos.mkdir()
    for index in range(3):
        stripes = np.full((80, 96, 3), 100 + 20 * index, np.uint8)
        stripes[:, ::2] += 56
        cv2.imwrite(str(photos / f"{index}.png"), stripes)
    common = ("steps=120", "data.batch=8", "ema=0", "loss.0.norm=l2", "optimizer.lr=2e-3")
    strength = ("loss.1.weight=0.1", "loss.1.lr=5e-3", "loss.1.betas=[0.5, 0.99]")
    penalty = ("loss.1.r1=30", "loss.1.r1_every=2", 'loss.1.network="patch"')

    def contrast(config: TrainConfig) -> float:
        """Of the stripes in the outputs, as a share of that in the originals, at the end."""
        trainer = Trainer(config, tmp_path / "run", CPU)
        shares = []
        for report in trainer.reports():
            assert report.kept
            if trainer.step in (80, 100, 120):
                assert trainer.guard.batch is not None
                lr, target, _ = trainer.guard.batch
                with torch.inference_mode():
                    shares.append(float(fine(trainer.network(lr)).std() / fine(target).std()))
        return sum(shares) / len(shares)

    assert contrast(config(tmp_path, photos, *common)) < 0.3
    assert 0.45 < contrast(adversarial(tmp_path, photos, *common, *strength, *penalty)) < 3


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["loss.1.network=resnet"], "loss.1.network"),
        (["loss.1.r1=-1"], "r1 must be a number of at least 0, not -1"),
        (["loss.1.r1_every=0"], "r1_every must be at least 1, not 0"),
        (["loss.1.lr=0"], "lr must be above 0 and at most 1, not 0"),
        (["loss.1.betas=[0.9, 1.0]"], r"betas must be in \[0, 1\)"),
        (["data.crop=24"], "data.crop must be at least 32 for an adversarial term, not 24"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    tmp_path: Path, photos: Path, overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        adversarial(tmp_path, photos, *overrides)


def test_terms_that_do_not_go_together(tmp_path: Path, photos: Path) -> None:
    path = tmp_path / "config.toml"
    for text, message in (
        (CONFIG + TERM + TERM, "loss can have one adversarial term"),
        (
            CONFIG.replace('kind = "pixel"\nnorm = "charbonnier"', 'kind = "adversarial"'),
            "loss needs a term beside the adversarial one",
        ),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=message):
            load_config(str(path), (), [str(photos)])
    with pytest.raises(ConfigError, match="an adversarial term is for super-resolution"):
        load_config("style", ["loss.0={kind='adversarial'}"])
