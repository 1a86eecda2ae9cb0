"""Commands whose modules are imported when they are first looked up: a run needs one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from importlib import import_module

import click


class LazyCommands(MutableMapping[str, click.Command]):
    """The `commands` of a click group. Names are known at once, a command when it is asked for."""

    def __init__(
        self, package: str, places: Mapping[str, str], prepare: Callable[[click.Command], None]
    ) -> None:
        """Of a package.

        Args:
            package: its name.
            places: name of a command to "module:name", the module relative to the package.
            prepare: called once with every command that is imported.
        """
        self._package = package
        self._places = dict(places)
        self._prepare = prepare
        self._found: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._found:
            module, _, attribute = self._places[name].partition(":")
            command: click.Command = getattr(import_module(f".{module}", self._package), attribute)
            self._prepare(command)
            self._found[name] = command
        return self._found[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._places.setdefault(name, "")
        self._found[name] = command

    def __delitem__(self, name: str) -> None:
        del self._places[name]
        self._found.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
