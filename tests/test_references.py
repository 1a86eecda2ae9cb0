"""Names in backticks that begin with one of our folders, such as `runtime.reuse.changed`, exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .test_packaging import FOLDERS, ROOT, sources

NAME = re.compile(rf"`(?:framelift\.)?((?:{'|'.join(FOLDERS)}|models|hardware)(?:\.[A-Za-z_]\w*)+)")
FILES = {"archive.json"}
"""Names of files that look like a module."""


def names_in(path: Path) -> list[str]:
    return [name for name in NAME.findall(path.read_text(encoding="utf-8")) if name not in FILES]


def exists(name: str) -> bool:
    """Whether a module has that name, or the module before the rest of it has such a name in it."""
    place, rest = ROOT, name.split(".")
    while rest and (place / rest[0]).is_dir():
        place /= rest.pop(0)
    module = place / f"{rest[0]}.py" if rest else place / "__init__.py"
    if rest and module.is_file():
        rest.pop(0)
    elif rest:
        module = place / "__init__.py"
    if not module.is_file():
        return False
    return not rest or re.search(rf"\b{rest[0]}\b", module.read_text(encoding="utf-8")) is not None


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("runtime.reuse.changed", True),
        ("runtime.session.protocol.Session", True),
        ("runtime.session", True),
        ("base.Session", False),
        ("runtime.engine.Computation", False),
        ("runtime.session.protocol.Sitting", False),
    ],
)
def test_a_name_that_is_not_there_is_found(name: str, there: bool) -> None:
    assert exists(name) == there


def test_every_module_that_a_docstring_or_a_page_names_exists() -> None:
    pages = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").glob("*.md")]
    gone = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in [*sources(*FOLDERS, "models", "hardware"), *pages]
        for name in names_in(path)
        if not exists(name)
    ]
    assert gone == []
