"""Several processes: the run of one with the batch of all; one leader; clean stops."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from framelift.common.errors import ConfigError
from framelift.train.checkpoints.file import load_checkpoint
from framelift.train.config.file import load_config
from framelift.train.config.schema import TrainConfig
from framelift.train.distributed import Processes, processes_from_environment
from framelift.train.loop.trainer import Trainer

from ..support.forked import Forked
from ..support.training_runs import NETWORK
from ..support.waiting import PATIENCE_S, wait_until

STEPS = 40

CONFIG = f"""
steps = {STEPS}
ema = 0.9
log_every = 1
{NETWORK.replace("charbonnier", "l1")}
degradation = "johnson"
[compute]
accumulate = 2
"""


PLAIN = "import sys; from framelift.cli.main import main; main(sys.argv[1:])"


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photographs and a config."""
    folder = tmp_path_factory.mktemp("together")
    (folder / "photos").mkdir()
    rng = np.random.default_rng(0)
    for k in range(3):
        noise = rng.integers(0, 256, (80, 96, 3), np.uint8)
        cv2.imwrite(str(folder / "photos" / f"{k}.png"), cv2.GaussianBlur(noise, (0, 0), 2))
    (folder / "config.toml").write_text(CONFIG)
    return folder


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port


@contextmanager
def started(
    setting: Path, out: str, count: int, *options: str, code: str = PLAIN
) -> Iterator[list[Forked]]:
    """`framelift train` in `count` processes with the environment that torchrun gives them."""
    arguments = [
        "train",
        str(setting / "config.toml"),
        "--data",
        str(setting / "photos"),
        "--out",
        str(setting / out),
        "--quiet",
        "--device",
        "cpu",
        "--threads",
        "1",
        *options,
    ]
    together = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    running: list[Forked] = []
    try:
        for rank in range(count):
            place = {
                "RANK": rank,
                "LOCAL_RANK": rank,
                "WORLD_SIZE": count,
                "LOCAL_WORLD_SIZE": count,
            }
            env = {**os.environ, **together, **{name: str(n) for name, n in place.items()}}
            folder = setting / f"output-{len(list(setting.glob('output-*')))}"
            running.append(Forked(code, arguments, env, folder))
        yield running
    finally:
        for process in running:
            process.kill()
            process.communicate()


def finish(running: list[Forked], code: int = 0) -> list[tuple[str, str]]:
    """Outputs and errors of processes that all end with `code`."""
    texts = [process.communicate(timeout=PATIENCE_S) for process in running]
    assert [process.returncode for process in running] == [code] * len(running), texts
    return texts


def losses(run: Path, name: str = "loss") -> list[float]:
    return [json.loads(line)[name] for line in (run / "history.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def together(setting: Path) -> Path:
    """A finished run of two processes."""
    with started(setting, "two", 2) as running:
        (first, _), (second, _) = finish(running)
    assert first.strip() == str(setting / "two" / "model.safetensors")
    assert second == ""  # one process speaks for all
    return setting / "two"


def settings(setting: Path, *overrides: str) -> TrainConfig:
    return load_config(str(setting / "config.toml"), overrides, [str(setting / "photos")])


def test_two_processes_are_one_with_the_doubled_batch(setting: Path, together: Path) -> None:
    doubled = settings(setting, "data.batch=4", "compute.accumulate=1")
    alone = Trainer(doubled, setting / "one", torch.device("cpu"))
    one = load_checkpoint(alone.run(quiet=True))
    two = load_checkpoint(together / "model.safetensors")
    # Sums in another order: equal to float rounding, which Adam's first steps magnify slowly.
    assert losses(together)[:20] == pytest.approx(losses(setting / "one")[:20], rel=1e-4)
    assert losses(together) == pytest.approx(losses(setting / "one"), rel=1e-2)
    assert two.training["batch"] == one.training["batch"] == 4


def test_the_discriminators_of_two_processes_are_one(setting: Path) -> None:
    folder = setting / "adversarial"
    folder.mkdir()
    (folder / "photos").symlink_to(setting / "photos")
    term = '[[loss]]\nkind = "adversarial"\nchannels = 4\nr1_every = 2\n'
    (folder / "config.toml").write_text(CONFIG + term)
    short = "steps=4"
    with started(folder, "two", 2, "--set", short) as running:
        finish(running)
    doubled = settings(folder, "data.batch=4", "compute.accumulate=1", short)
    alone = Trainer(doubled, folder / "one", torch.device("cpu"))
    alone.run(quiet=True)
    for name in ("loss", "discriminator", "discriminator_r1", "discriminator_margin"):
        ours, theirs = losses(folder / "one", name), losses(folder / "two", name)
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-6)


SIGNALLED = """
import os, signal, sys
from framelift.cli.main import main
from framelift.train.loop.step import Stepper

measured = Stepper._gradients
step = [0]

def interrupt(self, *batch):
    step[0] += 1
    if self.processes.rank == 1 and step[0] == 3:
        os.kill(os.getpid(), signal.SIGTERM)
    return measured(self, *batch)

Stepper._gradients = interrupt
main(sys.argv[1:])
"""


def test_a_signal_to_one_process_stops_all_and_resuming_is_exact(
    setting: Path, together: Path
) -> None:
    out = setting / "stopped"
    with started(setting, "stopped", 2, code=SIGNALLED) as running:
        (_, words), _ = finish(running, 143)
    assert "state saved" in words
    done = torch.load(out / "state.pt", weights_only=True)["step"]
    assert done == 3
    goal = done + 3
    with started(setting, "stopped", 2, "--set", f"steps={goal}", "--resume") as running:
        finish(running)
    assert losses(out) == losses(together)[:goal]
    with pytest.raises(ConfigError, match=r"it ran in 2 process\(es\), now 1"):
        Trainer(settings(setting), out, torch.device("cpu")).resume()


SPOILT = """
import sys
from framelift.cli.main import main
from framelift.train.loop.step import Stepper

measured, step = Stepper._gradients, [0]

def spoil(self, *batch):
    losses = measured(self, *batch)
    step[0] += 1
    # One process alone has a bad gradient, after the processes have exchanged theirs.
    if self.processes.rank == 1 and step[0] == 3:
        next(self.network.parameters()).grad.fill_(float("nan"))
    return losses

Stepper._gradients = spoil
main(sys.argv[1:])
"""


def test_processes_agree_on_leaving_a_step_out(setting: Path) -> None:
    options = ("--set", "steps=5", "--set", "ema=0")
    with started(setting, "left-out", 2, *options, code=SPOILT) as running:
        (_, words), (_, silent) = finish(running)
    assert "step 3: left out, its gradients were not finite" in words
    assert silent == ""
    checkpoint = load_checkpoint(setting / "left-out" / "model.safetensors")
    assert checkpoint.training["steps_left_out"] == 1
    assert len(losses(setting / "left-out")) == 5


def test_batch_norms_need_cuda_to_synchronise() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    with pytest.raises(ConfigError, match=r"on CUDA only: set network\.norm=none"):
        Processes(0, 2).synchronise_norms(network, torch.device("cpu"))
    Processes().synchronise_norms(network, torch.device("cpu"))


def test_environment_of_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    alone = processes_from_environment()
    assert alone.leads
    assert alone.part_of(4) == range(4)
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(ConfigError, match=r"torchrun's environment is not usable \('RANK'\)"):
        processes_from_environment()
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    third = processes_from_environment()
    assert third == Processes(3, 4, 1, 2)
    assert not third.leads
    assert third.part_of(4) == range(12, 16)


@pytest.mark.slow
def test_torchrun_passes_sigterm_on(setting: Path) -> None:
    torchrun = Path(sys.executable).with_name("torchrun")
    framelift = Path(sys.executable).with_name("framelift")
    out = setting / "torchrun"
    process = subprocess.Popen(
        [
            torchrun,
            "--nproc-per-node",
            "2",
            "--master-port",
            str(free_port()),
            "--no-python",
            framelift,
            "train",
            setting / "config.toml",
            "--data",
            setting / "photos",
            "--out",
            out,
            "--quiet",
            "--device",
            "cpu",
            "--set",
            "steps=100000",
            "--set",
            "checkpoint_every=1000000",
            "--set",
            "log_every=1",
        ],
        text=True,
        stderr=subprocess.PIPE,
    )
    history = out / "history.jsonl"
    wait_until(lambda: history.exists() and history.stat().st_size, "the first steps")
    process.terminate()
    _, words = process.communicate(timeout=PATIENCE_S)
    assert process.returncode != 0
    assert "state saved" in words
    assert (out / "state.pt").exists()
    assert load_checkpoint(out / "model.safetensors").training["steps"] > 0
