"""Checkpoints between two others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from framelift.common.errors import CheckpointError, ConfigError
from framelift.train.checkpoints.file import Checkpoint, load_checkpoint, save_checkpoint
from framelift.train.networks import RealtimeConfig, build_network
from models.mix import main, mixed
from models.running import run


def checkpoint(seed: int, channels: int = 8) -> Checkpoint:
    torch.manual_seed(seed)
    config = RealtimeConfig(scale=2, channels=channels, layers=1)
    return Checkpoint(config, build_network(config).state_dict(), {"steps": seed})


def test_each_weight_lies_between_the_two(tmp_path: Path) -> None:
    start, tuned = checkpoint(1), checkpoint(2)
    for name, made in (("start", start), ("tuned", tuned)):
        save_checkpoint(tmp_path / f"{name}.safetensors", made)
    out = tmp_path / "out.safetensors"
    arguments = [str(tmp_path / f"{name}.safetensors") for name in ("start", "tuned")]
    done = CliRunner().invoke(main, [*arguments, "--share", "0.75", "--out", str(out)])
    assert done.exit_code == 0, done.output
    result = load_checkpoint(out)
    for name, weight in result.weights.items():
        expected = 0.25 * start.weights[name] + 0.75 * tuned.weights[name]
        torch.testing.assert_close(weight, expected)
    assert result.training == {"steps": 2, "share": 0.75}


def test_other_networks_and_shares_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CheckpointError, match="networks differ"):
        mixed(checkpoint(1), checkpoint(2, channels=16), 0.5)
    with pytest.raises(ConfigError, match="from 0 to 1"):
        mixed(checkpoint(1), checkpoint(2), 1.5)
    missing = str(tmp_path / "none.safetensors")
    monkeypatch.setattr("sys.argv", ["mix", missing, missing, "--share", "0.5", "--out", "x"])
    with pytest.raises(SystemExit) as ended:
        run(main, "mix")
    assert ended.value.code != 0
    assert capsys.readouterr().err == f"models.mix: checkpoint {missing}: no such file\n"
