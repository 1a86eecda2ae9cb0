"""Training configurations: strict TOML, presets by name, overrides on the command line.

A run also saves its resolved config as JSON, which is accepted wherever TOML is.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from ..imaging.errors import ConfigError
from .config import TrainConfig
from .preset_files import PRESETS, preset_names


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
        raise ConfigError(f"config {source}: {_explain(str(error))}") from error


def _read(source: str) -> dict[str, Any]:
    path = Path(source)
    if path.suffix not in (".toml", ".json"):
        path = PRESETS / f"{source}.toml"
        if not path.is_file():
            raise ConfigError(
                f"config {source}: no such preset{_near(source, preset_names())}; presets: "
                f"{', '.join(preset_names())}; or give the path of a .toml file"
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
        raise ConfigError(f"override {override!r}: expected section.key=value")
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
        raise ConfigError(f"override {override!r}: what holds `{section}` is not a section")
    if not section.isdecimal() or int(section) >= len(place):
        raise ConfigError(
            f"override {override!r}: `{section}` must be the number of one of {len(place)} "
            "item(s), counted from 0"
        )
    return int(section)


def _explain(message: str) -> str:
    """msgspec's message, with the nearest known key or value where one is unknown."""
    keys, choices = _vocabulary()
    place = re.search(r"at `\$\.?(.*?)`", message)
    where = re.sub(r"\[\.*\d*\]", "", place[1]) if place else ""
    if unknown := re.search(r"unknown field `(.+?)`", message):
        inside = f" in `{where}`" if where else ""
        near = _nearest_place(unknown[1], where, keys)
        hint = f", did you mean `{near}`?" if near else f"; it has {', '.join(keys[where])}"
        return f"unknown key `{unknown[1]}`{inside}{hint}"
    wrong = re.match(r"Invalid (?:enum )?value '(.*?)'", message)
    if wrong and where in choices:
        known = choices[where]
        return f"`{where}` must be of {', '.join(known)}, not {wrong[1]!r}{_near(wrong[1], known)}"
    if where == "loss" and message.startswith("Expected `array`"):
        return "`loss` must be a list of tables: write [[loss]] above each term"
    if missing := re.search(r"missing required field `(.+?)`", message):
        return f"`{where}.{missing[1]}` is missing".replace("`.", "`")
    return message.replace("`$.", "`").rstrip(".")


def _nearest_place(word: str, where: str, keys: dict[str, list[str]]) -> str:
    """A key like `word`: of section `where`, or else of another section, which is then named."""
    if near := difflib.get_close_matches(word, keys[where], 1):
        return near[0]
    places = {key: place for place, held in keys.items() for key in held}
    near = difflib.get_close_matches(word, sorted(places), 1)
    return f"{places[near[0]]}.{near[0]}".lstrip(".") if near else ""


def _near(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f", did you mean '{near[0]}'?" if near else ""


def _vocabulary() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The keys of the section at each dotted place, and the words allowed at each place."""
    keys: dict[str, list[str]] = {}
    choices: dict[str, list[str]] = {}

    def visit(kind: inspect.Type, place: str) -> None:
        match kind:
            case inspect.StructType():
                dot = "." if place else ""
                if kind.tag_field is not None:
                    choices.setdefault(place + dot + kind.tag_field, []).append(str(kind.tag))
                for field in kind.fields:
                    held = keys.setdefault(place, [])
                    if field.encode_name not in held:
                        held.append(field.encode_name)
                    visit(field.type, place + dot + field.encode_name)
            case inspect.UnionType():
                for member in kind.types:
                    visit(member, place)
            case inspect.VarTupleType():
                visit(kind.item_type, place)
            case inspect.LiteralType():
                choices[place] = [str(value) for value in kind.values]

    visit(inspect.type_info(TrainConfig), "")
    return keys, choices
