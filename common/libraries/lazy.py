"""Packages whose names are imported when they are first used: a command needs few of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """A `__getattr__` for the package.

    Args:
        package: its `__name__`.
        modules: the module, relative to the package, that each name is imported from.
    """

    def find(name: str) -> Any:  # noqa: ANN401 - whatever the module has
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(modules[name], package), name)

    return find
