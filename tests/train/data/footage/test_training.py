"""A training on coded sequences."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
import torch

from framelift.train.checkpoints.file import load_checkpoint
from framelift.train.config.file import load_config
from framelift.train.data.footage.pairs import FootagePairs
from framelift.train.loop.trainer import Trainer

from ....support.training_runs import NETWORK

CPU = torch.device("cpu")
CONFIG = f"""
steps = 6
checkpoint_every = 3
{NETWORK}
workers = 1
degradation = "codec"
[data.codec]
sequences = 2
frames = 4
kept = 2
size = [48, 48]
[[data.codec.encoders]]
name = "x264"
weight = 1
quality = [20, 30]
"""


@pytest.fixture
def trainer(tmp_path: Path, photos: Path) -> Trainer:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    config = load_config(str(path), [f"data.codec.cache={tmp_path / 'cache'}"], [str(photos)])
    return Trainer(config, tmp_path / "run", CPU)


def test_a_run_learns_from_coded_frames_and_resumes_exactly(
    trainer: Trainer, tmp_path: Path
) -> None:
    assert isinstance(trainer.pairs, FootagePairs)
    trainer.run(quiet=True)
    whole = load_checkpoint(tmp_path / "run" / "model.safetensors")
    assert whole.training["degradation"] == "codec"
    assert len(list((tmp_path / "cache").glob("*/index.json"))) == 1

    parts = Trainer(trainer.config, tmp_path / "parts", CPU)
    with closing(parts.reports()) as reports:
        for _ in range(3):
            next(reports)
    parts.folder.mkdir()
    parts.save()
    resumed = Trainer(trainer.config, tmp_path / "parts", CPU, resumes=True)
    resumed.run(quiet=True)
    weights = load_checkpoint(tmp_path / "parts" / "model.safetensors").weights
    assert all(torch.equal(weights[name], whole.weights[name]) for name in weights)


def test_the_cache_names_what_it_was_made_of(trainer: Trainer, tmp_path: Path) -> None:
    (index,) = (tmp_path / "cache").glob("*/index.json")
    described = json.loads(index.read_text())
    assert described["config"]["sequences"] == 2
    assert described["photographs"] == trainer.photos.order
    assert {label.split()[0] for label in described["labels"]} == {"x264"}
