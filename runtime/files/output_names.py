"""Patterns that name inputs (`*.jpg`, `%05d`), and templates that name outputs (`{stem}`)."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable
from pathlib import Path

from ...common.errors import InputError, OutputError
from ...common.images import is_image
from ...common.images.kind import is_animated
from ...common.notes import Say, say_on_stderr
from ..video.clip.image_sequence import gap_in, has_number, require_files, with_number

SCALE = "{scale}"
_FIELDS = ("stem", "suffix", "folder", "scale")
_FIELD = re.compile(r"\{([a-z]+)\}")


def is_template(target: Path) -> bool:
    """Whether the name of `target` has a place for that of the input.

    `{stem}` is the name without its suffix, `{suffix}` that of the output with its dot, `{folder}`
    the name of the input's folder, `{scale}` the factor; `%05d` is the number of an image in a
    sequence.
    """
    if has_number(target.name):
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
    if has_number(named) and not becomes_images(source, target):
        found = re.findall(r"\d+", source.stem)
        if not found:
            hint = "" if target.suffix else f"; name a format, such as {target.name}.png"
            raise OutputError(f"{target}: {source} has no number for the %d of this name{hint}")
        named = with_number(named, int(found[-1]))
    return target.with_name(named)


def with_scale(target: Path, scale: float) -> Path:
    """`target` with the factor filled in."""
    return target.with_name(target.name.replace(SCALE, f"{scale:g}"))


def expanded(names: Iterable[str], say: Say = say_on_stderr) -> list[Path]:
    """Files and folders, in order; a pattern with *, ? or ** stands for what it matches, and
    `%05d` for the numbers of a sequence, in their order.

    Shells expand patterns unless they are quoted, that of Windows never does. Raises InputError: a
    pattern matches nothing.
    """
    paths: list[Path] = []
    for name in names:
        if is_sequence(Path(name)):
            files = require_files(Path(name))
            if gap := gap_in(Path(name), list(files)):
                say(f"{name}: {gap}; each image keeps its number")
            paths += files.values()
            continue
        if not glob.has_magic(name) or Path(name).exists():
            paths.append(Path(name))
            continue
        found = sorted(glob.glob(name, recursive=True))
        if not found:
            raise InputError(f"{name}: matches no file or folder")
        paths += map(Path, found)
    return paths


def becomes_images(source: Path, target: Path) -> bool:
    """Whether a video, or an animated image, becomes images with numbers in their names."""
    if not has_number(target.name) or not is_image(target):
        return False
    return not is_image(source) or is_animated(source)


def is_sequence(name: Path) -> bool:
    """Whether an input is an image sequence, such as `frame_%05d.png`."""
    return has_number(name.name) and not name.exists()
