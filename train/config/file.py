"""Training configurations: strict TOML, presets by name, overrides on the command line.

A run also saves its resolved config as JSON, which is accepted wherever TOML is.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from ...common.errors import ConfigError
from ...common.text import suggestion
from .errors import explain
from .preset_files import PRESETS, preset_names
from .schema import TrainConfig


def load_config(
    source: str, overrides: Sequence[str] = (), folders: Sequence[str] = ()
) -> TrainConfig:
    """Read a config from a .toml or .json file or a preset name, then apply overrides.

    Args:
        source: path or preset name.
        overrides: "section.key=value" each, the value a TOML literal (or a bare string); a number
            picks an item of a list, as in "loss.0.weight=2".
        folders: training folders that replace `data.folders`, if any.

    Raises ConfigError naming the key that is wrong and what it should be.
    """
    document = _read(source)
    for override in overrides:
        _override(document, override)
    if folders and isinstance(data := document.setdefault("data", {}), dict):
        data["folders"] = list(folders)
    try:
        return msgspec.convert(document, TrainConfig, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(f"config {source}: {explain(str(error), document)}") from error


def _read(source: str) -> dict[str, Any]:
    path = Path(source)
    if path.suffix not in (".toml", ".json"):
        if path.is_dir():
            raise ConfigError(f"config {source}: is a folder; name a .toml file or a preset")
        path = PRESETS / f"{source}.toml"
        if not path.is_file():
            raise ConfigError(
                f"config {source}: no such preset{suggestion(source, preset_names())}: give one of "
                "`framelift train --list-presets`, or the path of a .toml file"
            )
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"config {path}: {error.strerror}") from error
    except ValueError as error:  # both decoders' errors
        raise ConfigError(f"config {path}: not valid {path.suffix[1:].upper()}: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"config {path}: expected a table of settings")
    return document


def _override(document: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not all(key.split(".")):
        raise ConfigError(
            f"--set {override}: write KEY=VALUE, such as steps=500 or optimizer.lr=5e-4"
        )
    try:
        value = tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        value = text
    *sections, last = key.split(".")
    place: Any = document
    for section in sections:
        if isinstance(place, dict):
            place = place.setdefault(section, {})
        else:
            place = place[_index(place, section, override)]
    if isinstance(place, dict):
        place[last] = value
    else:
        place[_index(place, last, override)] = value


def _index(place: object, section: str, override: str) -> int:
    if not isinstance(place, list):
        raise ConfigError(f"--set {override}: what holds `{section}` is not a section")
    if not section.isdecimal() or int(section) >= len(place):
        raise ConfigError(
            f"--set {override}: `{section}` must be the number of an item, 0 to {len(place) - 1}"
        )
    return int(section)
