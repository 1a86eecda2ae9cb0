"""Inputs as patterns, and outputs as templates of names."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable
from pathlib import Path

from ..common.errors import InputError, OutputError

SCALE = "{scale}"
_FIELDS = ("stem", "suffix", "folder", "scale")
_FIELD = re.compile(r"\{([a-z]+)\}")
_NUMBER = re.compile(r"%0?(\d*)d")


def is_template(target: Path) -> bool:
    """Whether the name of `target` has a place for that of the input.

    `{stem}` is the name without its suffix, `{suffix}` that of the output with its dot, `{folder}`
    the name of the input's folder, `{scale}` the factor; `%05d` is the number of an image in a
    sequence.
    """
    if _NUMBER.search(target.name):
        return True
    return any(field in _FIELDS for field in _FIELD.findall(target.name))


def in_template(target: Path, source: Path, name: str) -> Path:
    """`target` with its places filled in but for `{scale}`; `name` is what it would be called.

    What is no template stays, braces and all. Raises OutputError: a place in it is unknown.
    """
    if target.name == name or not is_template(target):
        return target
    values = {
        "stem": source.stem,
        "suffix": Path(name).suffix,
        "folder": source.resolve().parent.name,
        "scale": SCALE,
    }

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            known = ", ".join(f"{{{field}}}" for field in _FIELDS)
            raise OutputError(f"{target}: {match[0]} is unknown in a name; use {known}")
        return values[match[1]]

    named = _FIELD.sub(value, target.name)
    if _NUMBER.search(named):
        found = re.findall(r"\d+", source.stem)
        if not found:
            raise OutputError(f"{target}: {source} has no number for the %d of this name")
        digits = found[-1]
        named = _NUMBER.sub(lambda match: f"{int(digits):0{match[1] or 1}}", named)
    return target.with_name(named)


def with_scale(target: Path, scale: float) -> Path:
    """`target` with the factor filled in."""
    return target.with_name(target.name.replace(SCALE, f"{scale:g}"))


def expanded(names: Iterable[str]) -> list[Path]:
    """Files and folders, in order; a pattern with *, ? or ** stands for what it matches, and
    `%05d` for the numbers of a sequence, in their order.

    Shells expand patterns unless they are quoted, that of Windows never does. Raises InputError: a
    pattern matches nothing.
    """
    paths: list[Path] = []
    for name in names:
        if _NUMBER.search(Path(name).name) and not Path(name).exists():
            paths += _sequence(Path(name))
            continue
        if not glob.has_magic(name) or Path(name).exists():
            paths.append(Path(name))
            continue
        found = sorted(glob.glob(name, recursive=True))
        if not found:
            raise InputError(f"{name}: matches no file or folder")
        paths += map(Path, found)
    return paths


def _sequence(pattern: Path) -> list[Path]:
    """The files of an image sequence, such as `frame_%05d.png`."""
    match = _NUMBER.search(pattern.name)
    assert match is not None
    width = int(match[1] or 1)
    before, after = pattern.name[: match.start()], pattern.name[match.end() :]
    name = re.compile(rf"{re.escape(before)}(\d{{{width},}}){re.escape(after)}")
    found = []
    if pattern.parent.is_dir():
        for path in pattern.parent.iterdir():
            if number := name.fullmatch(path.name):
                found.append((int(number[1]), path))
    if not found:
        raise InputError(f"{pattern}: no file of this sequence is there")
    return [path for _, path in sorted(found)]
