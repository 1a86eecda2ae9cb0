"""The trainer: it learns, resumes exactly, stops cleanly and keeps what it has."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from framelift.common.errors import (
    CheckpointError,
    ConfigError,
    Interrupted,
    OutputError,
    TrainingError,
)
from framelift.train.checkpoints.file import load_checkpoint
from framelift.train.logs.history import History
from framelift.train.loop.trainer import Trainer

from ...support.training_runs import CPU, config, history, interrupt_after


def test_training_lowers_the_loss_and_writes_a_checkpoint(tmp_path: Path, photos: Path) -> None:
    run = tmp_path / "run"
    settings = config(
        tmp_path,
        photos,
        "steps=60",
        "log_every=10",
        f"validation.folder={photos}",
        "validation.every=30",
    )
    path = Trainer(settings, run, CPU).run(quiet=True)
    records = history(run)
    losses = [record["loss"] for record in records if "loss" in record]
    assert losses[-1] < 0.9 * losses[0]
    assert {"lr", "pixel_charbonnier", "images_per_s", "data_wait_share"} <= set(records[0])
    scores = [record["psnr_y"] for record in records if "psnr_y" in record]
    assert len(scores) == 2
    checkpoint = load_checkpoint(path)
    assert checkpoint.network_config == settings.network
    assert checkpoint.training["steps"] == 60
    assert checkpoint.training["photographs"] == 3
    assert checkpoint.training["validation"]["psnr_y"] == pytest.approx(scores[-1], abs=1e-3)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ['network={name="johnson", scale=2, channels=4, blocks=1}'],
        ["optimizer.name=muon", "optimizer.lr=5e-3"],
    ],
    ids=["realtime", "johnson", "muon"],
)
def test_resuming_is_exact(tmp_path: Path, photos: Path, overrides: list[str]) -> None:
    whole = Trainer(config(tmp_path, photos, *overrides), tmp_path / "whole", CPU)
    whole.run(quiet=True)

    first = Trainer(config(tmp_path, photos, *overrides), tmp_path / "parts", CPU)
    interrupt_after(first, steps=3)
    with pytest.raises(Interrupted, match=r"stopped at step 3 of 8, state saved .* --resume"):
        first.run(quiet=True)
    second = Trainer(config(tmp_path, photos, *overrides), tmp_path / "parts", CPU)
    second.resume()
    second.run(quiet=True)

    a = load_checkpoint(tmp_path / "whole" / "model.safetensors").weights
    b = load_checkpoint(tmp_path / "parts" / "model.safetensors").weights
    assert all(torch.equal(a[name], b[name]) for name in a)
    steps = [record["step"] for record in history(tmp_path / "parts")]
    assert steps == [record["step"] for record in history(tmp_path / "whole")]


@pytest.fixture
def terminal() -> Iterator[None]:
    """SIGHUP is not ignored, also where the tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_save_and_give_their_own_exit_codes(
    tmp_path: Path, photos: Path, capfd: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    trainer = Trainer(config(tmp_path, photos), tmp_path / "run", CPU)
    interrupt_after(trainer, steps=2, number=number)
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as stopped:
        trainer.run(quiet=True)
    assert stopped.value.exit_code == 128 + number
    assert (
        capfd.readouterr().err == "\nfinishing this step, then saving; Ctrl-C again stops at once\n"
    )
    assert signal.getsignal(number) is before
    assert load_checkpoint(tmp_path / "run" / "model.safetensors").training["steps"] == 2


class Gone:
    """A stream whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


@pytest.mark.usefixtures("terminal")
def test_a_lost_terminal_does_not_cost_the_run(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    validates = (f"validation.folder={photos}", "validation.every=1")
    trainer = Trainer(config(tmp_path, photos, *validates), tmp_path / "run", CPU)
    interrupt_after(trainer, steps=2, number=signal.SIGHUP)
    monkeypatch.setattr("sys.stdout", Gone())
    monkeypatch.setattr("sys.stderr", Gone())
    with pytest.raises(Interrupted, match="stopped at step 2 of 8, state saved"):
        trainer.run()
    assert load_checkpoint(tmp_path / "run" / "model.safetensors").training["steps"] == 2


def test_under_nohup_training_goes_on(tmp_path: Path, photos: Path) -> None:
    trainer = Trainer(config(tmp_path, photos, "steps=3"), tmp_path / "run", CPU)
    interrupt_after(trainer, steps=2, number=signal.SIGHUP)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        trainer.run(quiet=True)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert trainer.step == 3


def test_training_in_a_thread_leaves_signals_to_the_main_one(tmp_path: Path, photos: Path) -> None:
    trainer = Trainer(config(tmp_path, photos, "steps=1"), tmp_path / "run", CPU)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(trainer.run, quiet=True).result().is_file()


def test_nan_loss_names_the_batch_and_keeps_the_last_checkpoint(
    tmp_path: Path, photos: Path
) -> None:
    trainer = Trainer(config(tmp_path, photos), tmp_path / "run", CPU)
    step = trainer._train_step

    def poisoned(lr: torch.Tensor, target: torch.Tensor) -> dict[str, float]:
        if trainer.step == 5:
            with torch.no_grad():
                next(trainer.network.parameters()).fill_(float("nan"))
        return step(lr, target)

    trainer._train_step = poisoned  # type: ignore[method-assign]
    with pytest.raises(
        TrainingError,
        match=r"became nan at step 5; .*/run keeps step 4: continue .*Photographs .*\.png",
    ):
        trainer.run(quiet=True)
    kept = load_checkpoint(tmp_path / "run" / "model.safetensors")
    assert kept.training["steps"] == 4
    assert all(bool(torch.isfinite(tensor).all()) for tensor in kept.weights.values())


def test_resume_refuses_another_config_or_other_photographs(tmp_path: Path, photos: Path) -> None:
    run = tmp_path / "run"
    Trainer(config(tmp_path, photos, "steps=2"), run, CPU).run(quiet=True)
    with pytest.raises(ConfigError, match="`seed` was 0, now 1"):
        Trainer(config(tmp_path, photos, "seed=1"), run, CPU).resume()
    with pytest.raises(CheckpointError, match=r"cannot resume: .*state\.pt does not exist"):
        Trainer(config(tmp_path, photos), tmp_path / "other", CPU).resume()
    (run / "state.pt").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match=r"state\.pt is damaged"):
        Trainer(config(tmp_path, photos), run, CPU).resume()
    torch.save({"weights": torch.zeros(1)}, run / "state.pt")
    with pytest.raises(CheckpointError, match=r"state\.pt is not a state of framelift train"):
        Trainer(config(tmp_path, photos), run, CPU).resume()


def test_resume_knows_the_photographs_wherever_they_lie(tmp_path: Path, photos: Path) -> None:
    run = tmp_path / "run"
    Trainer(config(tmp_path, photos, "steps=4"), run, CPU).run(quiet=True)
    moved = tmp_path / "moved"
    shutil.copytree(photos, moved)
    resumed = Trainer(config(tmp_path, moved), run, CPU)
    resumed.resume()
    assert resumed.step == 4
    (moved / "0.png").rename(moved / "z.png")  # crops would be drawn from other photographs
    with pytest.raises(ConfigError, match=r"cannot resume .*: .* come in another order; pass"):
        Trainer(config(tmp_path, moved), run, CPU).resume()
    with pytest.raises(ConfigError, match=r"`data\.batch` was 2, now 3; use the same config"):
        Trainer(config(tmp_path, photos, "data.batch=3"), run, CPU).resume()
    with pytest.raises(ConfigError, match=r"it is at step 4 already, beyond steps = 3"):
        Trainer(config(tmp_path, photos, "steps=3"), run, CPU).resume()
    (moved / "z.png").unlink()
    with pytest.raises(ConfigError, match="the training photographs have changed"):
        Trainer(config(tmp_path, moved), run, CPU).resume()


def test_a_state_that_does_not_know_the_order_is_taken_up(tmp_path: Path, photos: Path) -> None:
    run = tmp_path / "run"
    Trainer(config(tmp_path, photos, "steps=4"), run, CPU).run(quiet=True)
    state = torch.load(run / "state.pt", weights_only=True)
    del state["order"]
    torch.save(state, run / "state.pt")
    resumed = Trainer(config(tmp_path, photos), run, CPU)
    resumed.resume()
    assert resumed.step == 4
    other = shutil.copytree(photos, tmp_path / "other")
    with pytest.raises(ConfigError, match=r"`data\.folders` was "):
        Trainer(config(tmp_path, other), run, CPU).resume()


def test_ctrl_c_once_more_stops_at_once_and_keeps_the_last_checkpoint(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framelift.common.signals.SAME_PRESS_S", 0.0)  # both come in one step
    trainer = Trainer(config(tmp_path, photos), tmp_path / "run", CPU)
    interrupt_after(trainer, steps=6)
    interrupt_after(trainer, steps=6)
    with pytest.raises(
        Interrupted, match="stopped at once; the last checkpoint and state are kept"
    ):
        trainer.run(quiet=True)
    assert load_checkpoint(tmp_path / "run" / "model.safetensors").training["steps"] == 4


def test_a_loss_that_is_nan_from_the_start_has_no_checkpoint(tmp_path: Path, photos: Path) -> None:
    trainer = Trainer(config(tmp_path, photos, "optimizer.lr=1e9"), tmp_path / "run", CPU)
    with pytest.raises(
        TrainingError,
        match=r"became (inf|nan) at step [123]; start again with a lower optimizer\.lr \(now ",
    ):
        trainer.run(quiet=True)


def test_a_history_line_cut_short_does_not_stop_resuming(tmp_path: Path, photos: Path) -> None:
    run = tmp_path / "run"
    Trainer(config(tmp_path, photos, "steps=4"), run, CPU).run(quiet=True)
    with (run / "history.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')
    resumed = Trainer(config(tmp_path, photos), run, CPU)
    resumed.resume()
    resumed.run(quiet=True)
    assert [record["step"] for record in history(run)] == [2, 4, 6, 8]


def test_a_spoilt_byte_in_the_history_does_not_stop_resuming(tmp_path: Path, photos: Path) -> None:
    run = tmp_path / "run"
    Trainer(config(tmp_path, photos, "steps=4"), run, CPU).run(quiet=True)
    lines = (run / "history.jsonl").read_bytes().splitlines(keepends=True)
    (run / "history.jsonl").write_bytes(b"\xff" + b"".join(lines))
    Trainer(config(tmp_path, photos), run, CPU, resumes=True).run(quiet=True)
    assert [record["step"] for record in history(run)] == [4, 6, 8]


def test_a_finished_run_without_its_checkpoint_writes_it(tmp_path: Path, photos: Path) -> None:
    run = tmp_path / "run"
    settings = config(tmp_path, photos, f"validation.folder={photos}")
    path = Trainer(settings, run, CPU).run(quiet=True)
    whole, logged = load_checkpoint(path), history(run)
    path.unlink()
    Trainer(config(tmp_path, photos, "steps=4"), tmp_path / "short", CPU).run(quiet=True)
    for held in (None, b"damaged", (tmp_path / "short" / path.name).read_bytes()):
        if held is not None:
            path.write_bytes(held)
        Trainer(settings, run, CPU, resumes=True).run(quiet=True)
        again = load_checkpoint(path)
        assert again.training == whole.training
        assert all(torch.equal(again.weights[name], whole.weights[name]) for name in whole.weights)
        assert history(run) == logged


def test_scores_stay_in_the_checkpoint_when_a_run_goes_on(tmp_path: Path, photos: Path) -> None:
    run, validates = tmp_path / "run", (f"validation.folder={photos}", "validation.every=4")
    Trainer(config(tmp_path, photos, "steps=4", *validates), run, CPU).run(quiet=True)
    scored = load_checkpoint(run / "model.safetensors").training["validation"]
    resumed = Trainer(config(tmp_path, photos, *validates), run, CPU, resumes=True)
    interrupt_after(resumed, steps=6)
    with pytest.raises(Interrupted):
        resumed.run(quiet=True)
    training = load_checkpoint(run / "model.safetensors").training
    assert (training["steps"], training["validation"]) == (6, scored)
    assert scored["step"] == 4


def test_a_finished_run_keeps_its_checkpoint(tmp_path: Path, photos: Path) -> None:
    run = tmp_path / "run"
    settings = config(tmp_path, photos, f"validation.folder={photos}")
    path = Trainer(settings, run, CPU).run(quiet=True)
    before = path.stat()
    Trainer(config(tmp_path, photos), run, CPU, resumes=True).run(quiet=True)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("channels", [200_000, 10**9, 10**19])
def test_a_network_beyond_the_memory_is_named(tmp_path: Path, photos: Path, channels: int) -> None:
    network = f'network={{name="johnson", scale=2, channels={channels}, blocks=1}}'
    with pytest.raises(TrainingError, match=rf"^out of memory: JohnsonConfig\(.*{channels}.*\) do"):
        Trainer(config(tmp_path, photos, network), tmp_path / "run", CPU)


def test_a_history_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    log = History(tmp_path, 0)
    (tmp_path / "history.jsonl").unlink()
    (tmp_path / "history.jsonl").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*history\.jsonl: Is a directory"):
        log.write(1, {"loss": 1.0})
