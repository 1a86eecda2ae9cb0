"""Commands are imported when they are looked up."""

from __future__ import annotations

import sys

import click
import pytest

from framelift.cli.dispatch.lazy_commands import LazyCommands


def test_a_command_is_imported_and_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[click.Command] = []
    monkeypatch.delitem(sys.modules, "framelift.cli.web", raising=False)
    commands = LazyCommands(
        "framelift.cli", {"web": "web:web", "nothing": "gone:nothing"}, prepared.append
    )
    assert list(commands) == ["web", "nothing"]
    assert len(commands) == 2
    assert "framelift.cli.web" not in sys.modules
    assert commands["web"] is commands.get("web")
    assert prepared == [commands["web"]]
    assert "other" not in commands


def test_another_command_can_be_added_and_one_removed() -> None:
    commands = LazyCommands("framelift.cli", {"web": "web:web"}, lambda command: None)
    commands["mine"] = mine = click.Command("mine")
    del commands["web"]
    assert dict(commands) == {"mine": mine}
