"""Configs: strict, with the right key suggested; presets; overrides."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from framelift.imaging.errors import ConfigError
from framelift.train.config import ScheduleConfig, load_config, preset_names
from framelift.train.networks import RealtimeConfig
from framelift.train.schedule import learning_rate_factor

MINIMAL = """
steps = 10
[network]
name = "realtime"
scale = 2
[[loss]]
kind = "pixel"
"""


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads(name: str) -> None:
    assert load_config(name, folders=["photos"]).data.folders == ("photos",)


def test_defaults_overrides_and_folders(tmp_path: Path) -> None:
    config = load_config(
        write(tmp_path, MINIMAL), ["optimizer.lr=5e-4", "network.channels=16", "init=a b.st"], ["x"]
    )
    assert config.network == RealtimeConfig(scale=2, channels=16)
    assert config.optimizer.lr == 5e-4
    assert config.init == "a b.st"
    assert config.data.folders == ("x",)


def test_saved_json_config_is_read_back(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, MINIMAL))
    (tmp_path / "config.json").write_bytes(msgspec.json.encode(config))
    assert load_config(str(tmp_path / "config.json")) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("[optimizer]\nlearnrate = 1", "unknown key `learnrate` in `optimizer`"),
        ("[optimiser]\nlr = 1", r"unknown key `optimiser`; did you mean `optimizer`\?"),
        ("[schedule]\nwarmpu = 1", r"unknown key `warmpu` in `schedule`; did you mean `warmup`\?"),
        ("[data]\ncrop = 191", "data.crop must be a multiple of the scale 2"),
        ('[data]\ncrop = "big"', r"Expected `int`, got `str` - at `data.crop`"),
        ("[optimizer]\nname = 'sgd'", r"Invalid enum value 'sgd' - at `optimizer.name`"),
    ],
)
def test_wrong_settings_are_explained(tmp_path: Path, change: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(write(tmp_path, f"{MINIMAL}\n{change}"))


def test_impossible_values_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ema must be in \[0, 1\), not 1\.5"):
        load_config(write(tmp_path, MINIMAL), ["ema=1.5"])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("realtime-smal-x4", r"no such preset; did you mean 'realtime-small-x4'\?"),
        ("nowhere.toml", "No such file"),
        ("broken.toml", "not valid TOML"),
    ],
)
def test_unreadable_configs_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.toml").write_text("steps = = 3")
    with pytest.raises(ConfigError, match=message):
        load_config(source)


def test_override_without_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected section\.key=value"):
        load_config(write(tmp_path, MINIMAL), ["steps"])


def test_schedules() -> None:
    cosine = ScheduleConfig(kind="cosine", warmup=10, final=0.1)
    factors = [learning_rate_factor(cosine, step, 110) for step in (0, 9, 10, 60, 110)]
    assert factors == pytest.approx([0.1, 1.0, 1.0, 0.55, 0.1])
    stepwise = ScheduleConfig(kind="step", milestones=(5, 8), gamma=0.1)
    assert [learning_rate_factor(stepwise, s, 10) for s in (4, 5, 8)] == pytest.approx(
        [1, 0.1, 0.01]
    )
    assert learning_rate_factor(ScheduleConfig(), 3, 10) == 1.0
