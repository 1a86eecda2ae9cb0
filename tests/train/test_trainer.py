"""The trainer: it learns, resumes exactly, stops cleanly and keeps what it has."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
import torch

from framelift.imaging.errors import (
    CheckpointError,
    ConfigError,
    Interrupted,
    OutputError,
    TrainingError,
)
from framelift.train.checkpoint import load_checkpoint
from framelift.train.config import TrainConfig
from framelift.train.config_file import load_config
from framelift.train.initial import initial_weights
from framelift.train.logs import History
from framelift.train.networks import CompactConfig, build_network
from framelift.train.trainer import Trainer

CPU = torch.device("cpu")

CONFIG = """
steps = 8
ema = 0.9
tensorboard = false
log_every = 2
checkpoint_every = 4
[network]
name = "realtime"
scale = 2
channels = 8
layers = 2
expansion = 1
[[loss]]
kind = "pixel"
norm = "charbonnier"
[data]
crop = 32
batch = 2
[optimizer]
lr = 2e-3
[schedule]
kind = "cosine"
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for k in range(3):
        noise = rng.integers(0, 256, (80, 96, 3), np.uint8)
        cv2.imwrite(str(folder / f"{k}.png"), cv2.GaussianBlur(noise, (0, 0), 2) * 2 - 100)
    return folder


def config(tmp_path: Path, photos: Path, *overrides: str) -> TrainConfig:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return load_config(str(path), overrides, [str(photos)])


def history(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]


def test_training_lowers_the_loss_and_writes_a_checkpoint(tmp_path: Path, photos: Path) -> None:
    run = tmp_path / "run"
    settings = config(tmp_path, photos, "steps=60", "log_every=10", f"validation.folder={photos}",
                      "validation.every=30")  # fmt: skip
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


def interrupt_after(trainer: Trainer, steps: int, number: int = signal.SIGINT) -> None:
    """Make the process get a signal during the given step."""
    step = trainer._train_step

    def signalling(drawn: torch.Tensor) -> dict[str, float]:
        if trainer.step == steps - 1:
            os.kill(os.getpid(), number)
        return step(drawn)

    trainer._train_step = signalling  # type: ignore[method-assign]


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

    def poisoned(drawn: torch.Tensor) -> dict[str, float]:
        if trainer.step == 5:
            with torch.no_grad():
                next(trainer.network.parameters()).fill_(float("nan"))
        return step(drawn)

    trainer._train_step = poisoned  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match=r"became nan at step 5; lower .*Photographs .*\.png"):
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
    with pytest.raises(ConfigError, match=r"cannot resume .*: .* come in another order; give"):
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
    with pytest.raises(ConfigError, match=r"`data\.folders` was "):
        Trainer(config(tmp_path, photos.parent), run, CPU).resume()


def test_ctrl_c_once_more_stops_at_once_and_keeps_the_last_checkpoint(
    tmp_path: Path, photos: Path
) -> None:
    trainer = Trainer(config(tmp_path, photos), tmp_path / "run", CPU)
    interrupt_after(trainer, steps=6)
    interrupt_after(trainer, steps=6)
    with pytest.raises(Interrupted, match="stopped at once; the last checkpoint and state stay"):
        trainer.run(quiet=True)
    assert load_checkpoint(tmp_path / "run" / "model.safetensors").training["steps"] == 4


def test_a_loss_that_is_nan_from_the_start_has_no_checkpoint(tmp_path: Path, photos: Path) -> None:
    trainer = Trainer(config(tmp_path, photos, "optimizer.lr=1e9"), tmp_path / "run", CPU)
    with pytest.raises(TrainingError, match=r"became (inf|nan) at step [123]; .*: none yet\. "):
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


def test_fine_tuning_starts_from_a_checkpoint(tmp_path: Path, photos: Path) -> None:
    first = Trainer(config(tmp_path, photos, "steps=2"), tmp_path / "a", CPU).run(quiet=True)
    tuned = Trainer(config(tmp_path, photos, f"init={first}"), tmp_path / "b", CPU)
    weights = load_checkpoint(first).weights
    assert all(torch.equal(tuned.network.state_dict()[name], weights[name]) for name in weights)
    larger = ["network.layers=3", "network.channels=12", "network.expansion=1"]
    grown = Trainer(config(tmp_path, photos, f"init={first}", *larger), tmp_path / "c", CPU)
    image = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(grown.network(image), tuned.network(image), rtol=1e-4, atol=1e-5)
    with pytest.raises(ConfigError, match="holds another network"):
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
    with pytest.raises(ConfigError, match=r"holds another network: CompactConfig\(scale=2, "):
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
    with pytest.raises(CheckpointError, match=r"community\.pth: body\.0\.bias holds numbers that"):
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
