"""A teacher: its outputs are the targets, and a run with it can be resumed exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from framelift.common.errors import CheckpointError, ConfigError, Interrupted
from framelift.train.checkpoints.file import Checkpoint, load_checkpoint, save_checkpoint
from framelift.train.config.file import load_config
from framelift.train.loop.teacher import Teacher
from framelift.train.loop.trainer import Trainer
from framelift.train.networks import NetworkConfig, RealtimeConfig, StyleConfig, build_network

from ...support.training_runs import CPU, config, history, interrupt_after


def checkpoint_of(path: Path, network: NetworkConfig) -> Path:
    """A network with random weights, large enough to differ from bicubic everywhere."""
    torch.manual_seed(7)
    built = build_network(network)
    with torch.no_grad():
        for weights in built.parameters():
            weights.add_(0.05 * torch.randn_like(weights))
    save_checkpoint(path, Checkpoint(network, built.state_dict(), {}))
    return path


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    return checkpoint_of(tmp_path / "teacher.safetensors", RealtimeConfig(2, 12, 2, 1))


@pytest.mark.parametrize("settings", [[], ["compute.accumulate=2"]], ids=["whole", "parts"])
def test_targets_are_means_of_two_views_and_over_steps_of_all(
    tmp_path: Path, photos: Path, teacher: Path, settings: list[str]
) -> None:
    taught = Teacher(teacher, config(tmp_path, photos, *settings), CPU)
    lr = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))

    def output(turns: int, mirrored: bool) -> np.ndarray:
        seen = np.rot90(lr.numpy()[..., ::-1] if mirrored else lr.numpy(), turns, (2, 3))
        with torch.no_grad():
            made: np.ndarray = taught.network(torch.from_numpy(seen.copy())).numpy()
        made = np.rot90(made, -turns, (2, 3))
        return made[..., ::-1] if mirrored else made

    views = [output(turns, mirrored) for mirrored in (False, True) for turns in range(4)]
    means = {(a, b): (views[a] + views[b]) / 2 for a in range(8) for b in range(a)}
    used = []
    for step in range(56):
        targets = taught.targets(lr, step).numpy()
        used += [pair for pair, mean in means.items() if np.allclose(targets, mean, atol=1e-5)]
    assert sorted(used) == sorted([*means, *means])


def test_a_run_with_a_teacher_learns_its_outputs(tmp_path: Path, photos: Path) -> None:
    """The teacher brightens what it enlarges, and so does what learned from it."""
    network = RealtimeConfig(2, 8, 2, 1)
    torch.manual_seed(7)
    brighter = build_network(network)
    last = [value for name, value in brighter.named_parameters() if name.endswith("bias")][-1]
    with torch.no_grad():
        last.add_(0.2)
    teacher = tmp_path / "brighter.safetensors"
    save_checkpoint(teacher, Checkpoint(network, brighter.state_dict(), {}))
    settings = ["steps=60", "log_every=20", "optimizer.lr=1e-2", "ema=0"]
    lr = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    rise: dict[str, float] = {}
    summaries: dict[str, Any] = {}
    for name, more in (("taught", [f'teacher="{teacher}"']), ("alone", [])):
        run = Trainer(config(tmp_path, photos, *settings, *more), tmp_path / name, CPU)
        checkpoint = load_checkpoint(run.run(quiet=True))
        learned = build_network(checkpoint.network_config)
        learned.load_state_dict(checkpoint.weights)
        with torch.no_grad():
            rise[name] = float(learned(lr).mean() - lr.mean())
        summaries[name] = checkpoint.training.get("teacher")
    assert rise["taught"] == pytest.approx(0.2, abs=0.05)
    assert rise["alone"] == pytest.approx(0, abs=0.05)
    assert summaries["taught"]["name"] == f"{tmp_path.name}/brighter.safetensors"
    assert summaries["taught"]["network"]["channels"] == 8
    assert summaries["alone"] is None


def test_resuming_is_exact_and_needs_the_same_teacher(
    tmp_path: Path, photos: Path, teacher: Path
) -> None:
    settings = config(tmp_path, photos, f'teacher="{teacher}"')
    Trainer(settings, tmp_path / "whole", CPU).run(quiet=True)
    first = Trainer(settings, tmp_path / "parts", CPU)
    interrupt_after(first, steps=3)
    with pytest.raises(Interrupted):
        first.run(quiet=True)
    Trainer(settings, tmp_path / "parts", CPU, resumes=True).run(quiet=True)
    a = load_checkpoint(tmp_path / "whole" / "model.safetensors").weights
    b = load_checkpoint(tmp_path / "parts" / "model.safetensors").weights
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert history(tmp_path / "parts")[-1]["step"] == 8

    checkpoint_of(teacher, RealtimeConfig(2, 16, 2, 1))
    with pytest.raises(ConfigError, match=r"cannot resume .*: the teacher has changed"):
        Trainer(settings, tmp_path / "parts", CPU, resumes=True)
    with pytest.raises(ConfigError, match=r"`teacher` was \".*\", now \"\""):
        Trainer(config(tmp_path, photos), tmp_path / "parts", CPU, resumes=True)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (RealtimeConfig(4, 8, 2, 1), "enlarges ×4, the network ×2; use a teacher of the same"),
        (StyleConfig(8, 1), "is a style; use a super-resolution network"),
        (RealtimeConfig(2, 16, 2, 1, stride=2), "does not accept inputs of 17×17 pixels"),
    ],
    ids=["scale", "style", "stride"],
)
def test_a_teacher_that_will_not_do_is_named(
    tmp_path: Path, photos: Path, network: NetworkConfig, message: str
) -> None:
    path = checkpoint_of(tmp_path / "other.safetensors", network)
    with pytest.raises(ConfigError, match=message):
        Trainer(
            config(tmp_path, photos, f'teacher="{path}"', "data.crop=34"), tmp_path / "run", CPU
        )
    assert not (tmp_path / "run").exists()


def test_a_teacher_that_is_missing_is_named(tmp_path: Path, photos: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.safetensors: no such file"):
        Trainer(config(tmp_path, photos, 'teacher="none.safetensors"'), tmp_path / "run", CPU)


def test_terms_that_need_photographs_are_refused_beside_a_teacher(
    tmp_path: Path, photos: Path
) -> None:
    path = tmp_path / "run.toml"
    path.write_text(
        'steps = 1\nteacher = "t.safetensors"\n[network]\nname = "realtime"\n'
        '[[loss]]\nkind = "pixel"\n[[loss]]\nkind = "excess"\n'
    )
    with pytest.raises(ConfigError, match=r"loss\.1 \(excess\) compares with photographs"):
        load_config(str(path), [], [str(photos)])
