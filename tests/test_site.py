"""The reference of the command line, which the site makes from the commands."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click

from framelift.cli.main import framelift

SITE = Path(__file__).parents[1] / "docs" / "site"


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SITE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def command_reference() -> str:
    reference: str = loaded("commands").command_reference()
    return reference


def sections(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from sections(command, f"{path} {name}")


def test_every_command_and_option_is_in_the_reference() -> None:
    parts = re.split(r"^#{2,} ", command_reference(), flags=re.MULTILINE)
    by_title = dict(part.split("\n", 1) for part in parts[1:])
    found = dict(sections(framelift, "framelift"))
    assert len(found) > 20
    for title, command in found.items():
        if not isinstance(command, click.Group):
            for parameter in command.params:
                if isinstance(parameter, click.Option) and not parameter.hidden:
                    assert parameter.opts[0] in by_title[title], (title, parameter.name)


def test_every_request_and_schema_is_in_the_reference_of_the_http_api() -> None:
    module = loaded("http_api")
    reference, document = module.http_reference(), module.openapi_document()
    titles = re.findall(r"^## (.+)$", reference, flags=re.MULTILINE)
    requests = [
        f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method in item
        if method != "parameters"
    ]
    schemas = list(document["components"]["schemas"])
    assert titles == [*requests, *(f"{name} {{ #{name.lower()} }}" for name in schemas)]
    for name in re.findall(r"\]\(#(\w+)\)", reference):
        assert f"{{ #{name} }}" in reference
