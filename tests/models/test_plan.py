"""zoo.toml: every model has a preset; mistakes are found before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from framelift.common.errors import ConfigError
from framelift.train.config.file import load_config
from framelift.train.config.preset_files import PRESETS
from framelift.train.losses import FeatureLossConfig
from framelift.train.networks import RealtimeConfig
from framelift.train.networks.inherit import can_inherit
from models.plan import ZOO, Model, chosen, read_zoo

ZOO_TEXT = ZOO.read_text(encoding="utf-8")


@pytest.mark.parametrize("found", read_zoo().model, ids=lambda model: model.name)
def test_settings_fit_the_preset(found: Model) -> None:
    config = load_config(found.name, found.set)
    assert (found.espcn is None) == (found.floor_db is None)
    features = any(isinstance(term, FeatureLossConfig) for term in config.loss)
    if found.parent:
        network, parent = config.network, load_config(found.parent).network
        if network != parent:
            assert isinstance(network, RealtimeConfig)
            assert isinstance(parent, RealtimeConfig)
            assert can_inherit(parent, network)
        first_lines = (
            (PRESETS / f"{found.name}.toml").read_text(encoding="utf-8").partition("steps")[0]
        )
        assert f"init=runs/{found.parent}/model.safetensors" in first_lines
    if found.perceptual:
        assert found.parent
        assert features


def test_choice_keeps_the_order_of_the_file() -> None:
    names = [m.name for m in chosen(read_zoo(), ["realtime-nano-x2", "realtime-nano-x4"])]
    assert names == ["realtime-nano-x4", "realtime-nano-x2"]
    with pytest.raises(ConfigError, match=r"huge: not in the zoo, which has realtime-nano-x4"):
        chosen(read_zoo(), ["huge"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "johnson-x8"', 'name = "johnson-x16"', "johnson-x16: there is no preset"),
        ('from = "realtime-nano-x2"', 'from = "johnson-x8"', "johnson-x8 must come before it"),
        ("colour_shift", "color_shift", "color_shift"),
        ("minutes = 60", "minutes = ", "zoo.toml"),
    ],
)
def test_mistakes_in_the_list(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "zoo.toml"
    path.write_text(ZOO_TEXT.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        read_zoo(path)


def test_no_list(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml: No such file"):
        read_zoo(tmp_path / "gone.toml")
