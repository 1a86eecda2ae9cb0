"""A training that goes wrong: what it keeps, what it says, and that what it advises works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from unittest import mock

import pytest
import torch
from torch import Tensor, nn

from framelift.common.errors import CheckpointError, Interrupted, TrainingError
from framelift.train.checkpoints.file import load_checkpoint
from framelift.train.checkpoints.soundness import first_not_finite, tensors_in
from framelift.train.distributed import Processes
from framelift.train.loop.trainer import Trainer
from framelift.train.loop.verdict import judge

from ...support.training_runs import CPU, config, history, interrupt_after


def weights_of(run: Path) -> dict[str, Tensor]:
    return load_checkpoint(run / "model.safetensors").weights


def state_of(run: Path) -> dict[str, Tensor]:
    return dict(tensors_in(torch.load(run / "state.pt", weights_only=True)))


@contextmanager
def spoilt_gradients(
    trainer: Trainer, steps: range, number: float = float("nan")
) -> Iterator[None]:
    """In some steps a gradient is not finite, although the loss is."""
    measured = trainer.stepper._gradients

    def spoil(*batch: Tensor) -> dict[str, Tensor]:
        losses = measured(*batch)
        if trainer.step in steps:
            gradient = list(trainer.network.parameters())[3].grad
            assert gradient is not None
            gradient.view(-1)[0] = number
        return losses

    with mock.patch.object(trainer.stepper, "_gradients", spoil):
        yield


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("overrides", [[], ["optimizer.clip_norm=0.1"], ["optimizer.name=muon"]])
def test_a_step_with_spoilt_gradients_is_left_out(
    tmp_path: Path,
    photos: Path,
    capsys: pytest.CaptureFixture[str],
    number: float,
    overrides: list[str],
) -> None:
    run = tmp_path / "run"
    trainer = Trainer(config(tmp_path, photos, *overrides), run, CPU)
    interrupt_after(trainer, steps=6)
    before: list[list[Tensor]] = []
    step = trainer._train_step

    def watching(*batch: Tensor) -> dict[str, float]:
        before.append([value.clone() for value in trainer.averaged.state_dict().values()])
        return step(*batch)

    with (
        mock.patch.object(trainer, "_train_step", watching),
        spoilt_gradients(trainer, range(3, 4), number),
        pytest.raises(Interrupted),
    ):
        trainer.run(quiet=True)
    changed = [
        any(not torch.equal(x, y) for x, y in zip(a, b, strict=True)) for a, b in pairwise(before)
    ]
    assert changed == [True, True, True, False, True]
    assert capsys.readouterr().err.count("step 4: left out, its gradients were not finite") == 1
    assert first_not_finite(state_of(run)) is None
    Trainer(config(tmp_path, photos, *overrides), run, CPU, resumes=True).run(quiet=True)
    assert load_checkpoint(run / "model.safetensors").training["steps_left_out"] == 1


def test_gradients_that_stay_spoilt_end_the_run_and_keep_the_last_checkpoint(
    tmp_path: Path, photos: Path
) -> None:
    run = tmp_path / "run"
    trainer = Trainer(config(tmp_path, photos, "steps=40"), run, CPU)
    with (
        spoilt_gradients(trainer, range(5, 40)),
        pytest.raises(
            TrainingError,
            match=r"became nan in 11 steps in a row, lastly at step 15; .*run keeps step 12",
        ),
    ):
        trainer.run(quiet=True)
    assert first_not_finite(state_of(run)) is None


def test_half_precision_halves_its_scale_without_a_word(
    tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = Trainer(config(tmp_path, photos, "compute.amp=fp16"), tmp_path / "run", CPU)
    before = trainer.stepper.scaler.get_scale()
    with spoilt_gradients(trainer, range(2), float("inf")):
        trainer.run(quiet=True)
    assert trainer.stepper.scaler.get_scale() == before / 4
    assert "left out" not in capsys.readouterr().err


def lost(trainer: Trainer, at: int, change: Callable[[Tensor], object]) -> None:
    """Make the weights bad behind the back of the checks of a step."""
    update = trainer.stepper._update

    def spoil(norm: Tensor) -> None:
        update(norm)
        if trainer.step == at:
            with torch.no_grad():
                change(list(trainer.network.parameters())[-1])

    trainer.stepper._update = spoil  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (float("nan"), r"weights became NaN or infinity by step 8; .*run keeps step 4: continue"),
        (float("inf"), r"weights became NaN or infinity by step 8; .*run keeps step 4: continue"),
        (1e9, r"the training collapsed by step 8: its loss is \S*e\+\d+, that of a blank pic"),
    ],
)
def test_a_lost_network_does_not_replace_a_good_checkpoint(
    tmp_path: Path, photos: Path, number: float, message: str
) -> None:
    run = tmp_path / "run"
    trainer = Trainer(config(tmp_path, photos), run, CPU)
    lost(trainer, 7, lambda bias: bias.fill_(number))
    with pytest.raises(TrainingError, match=message):
        trainer.run(quiet=True)
    assert load_checkpoint(run / "model.safetensors").training["steps"] == 4
    Trainer(config(tmp_path, photos), run, CPU, resumes=True).run(quiet=True)
    assert load_checkpoint(run / "model.safetensors").training["steps"] == 8


def test_stopping_a_lost_network_saves_nothing(tmp_path: Path, photos: Path) -> None:
    run = tmp_path / "run"
    trainer = Trainer(config(tmp_path, photos), run, CPU)
    lost(trainer, 5, lambda bias: bias.fill_(1e12))
    interrupt_after(trainer, steps=6)
    with pytest.raises(
        Interrupted, match="stopped, not saved: the training collapsed by step 6"
    ) as at:
        trainer.run(quiet=True)
    assert at.value.exit_code == 130
    assert load_checkpoint(run / "model.safetensors").training["steps"] == 4


@pytest.mark.parametrize("rate", ["1e4", "1e9"])
def test_the_advice_of_a_diverged_run_works(tmp_path: Path, photos: Path, rate: str) -> None:
    run = tmp_path / "run"
    short = config(tmp_path, photos, "steps=4", "schedule.kind=constant")
    Trainer(short, run, CPU).run(quiet=True)
    steps = ["steps=12", "schedule.kind=constant"]
    wild = Trainer(config(tmp_path, photos, *steps, f"optimizer.lr={rate}"), run, CPU, resumes=True)
    with pytest.raises(
        TrainingError, match=r"run keeps step 4: continue .* --set optimizer\.lr=0\.0005\."
    ):
        wild.run(quiet=True)
    calm = Trainer(config(tmp_path, photos, *steps, "optimizer.lr=1e-3"), run, CPU, resumes=True)
    assert calm.changed == {"optimizer.lr": 1e-3}
    calm.run(quiet=True)
    training = load_checkpoint(run / "model.safetensors").training
    assert training["changes"] == {"4": {"optimizer.lr": 1e-3}}
    assert training["optimizer"]["lr"] == 1e-3
    assert [record["lr"] for record in history(run)] == 2 * [2e-3] + 4 * [1e-3]


def test_a_state_of_older_releases_that_is_poisoned_is_named(tmp_path: Path, photos: Path) -> None:
    run = tmp_path / "run"
    Trainer(config(tmp_path, photos), run, CPU).run(quiet=True)
    state = torch.load(run / "state.pt", weights_only=True)
    state["network"]["head.bias"][0] = torch.nan
    torch.save(state, run / "state.pt")
    with pytest.raises(
        CheckpointError, match=r"contains NaN or infinity \(network\.head\.bias\); start"
    ):
        Trainer(config(tmp_path, photos), run, CPU, resumes=True)


def test_a_network_worse_than_bicubic_is_said(
    tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    validates = (f"validation.folder={photos}",)
    trainer = Trainer(config(tmp_path, photos, *validates), tmp_path / "run", CPU)
    lost(trainer, 7, lambda bias: bias.fill_(0.4))
    trainer.run(quiet=True)
    shown = capsys.readouterr()
    assert "warning: the network is worse than bicubic upscaling: its loss on the last" in shown.err
    assert ", BELOW bicubic's " in shown.out


class Returns(nn.Module):
    """Gives certain pictures, whatever it gets."""

    def __init__(self, pictures: Tensor) -> None:
        super().__init__()
        self.pictures = pictures

    def forward(self, lr: Tensor) -> Tensor:
        return self.pictures[: len(lr)]


@pytest.mark.parametrize(
    ("factor", "is_lost", "is_worse"),
    [(1.0, False, False), (0.7, False, True), (1e6, True, True), (torch.nan, True, True)],
)
def test_networks_are_judged_beside_bicubic_and_grey(
    tmp_path: Path, photos: Path, factor: float, is_lost: bool, is_worse: bool
) -> None:
    trainer = Trainer(config(tmp_path, photos), tmp_path / "run", CPU)
    next(iter(trainer.reports()))
    assert trainer.guard.batch is not None
    lr, target, _ = trainer.guard.batch
    network = Returns(factor * target).train()
    verdict = judge(network, trainer.loss, lr, target, None, Processes())
    assert (verdict.is_lost, verdict.is_worse_than_plain) == (is_lost, is_worse)
    assert (trainer.guard.warning(verdict) is not None) == is_worse
    assert network.training
    assert 0 < verdict.plain < verdict.grey <= verdict.blank
