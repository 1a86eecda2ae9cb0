"""The user's own defaults: a TOML file with a section for each command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ...common.errors import ConfigError
from ...common.text import one_line, suggestion

VARIABLE = "FRAMELIFT_CONFIG"
NAME = "config.toml"


def defaults_path() -> Path | None:
    """The file: what `FRAMELIFT_CONFIG` names, none if that is empty, else the system's place."""
    named = os.environ.get(VARIABLE)
    if named is not None:
        return Path(named) if named else None
    from platformdirs import user_config_path

    try:
        return user_config_path("framelift", appauthor=False) / NAME
    except RuntimeError:  # the user has no home, and so no file in it
        return None


def read_defaults(root: click.Group) -> dict[str, Any]:
    """What click takes as the `default_map` of `root`; nothing where there is no file.

    Raises ConfigError for a file that is not TOML, or names commands or options that are none.
    """
    path = defaults_path()
    if path is None or (VARIABLE not in os.environ and not path.is_file()):
        return {}
    import tomllib

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: is not TOML ({one_line(error, 120)})") from error
    return _of_group(path, root, document, "")


def typed(*names: str) -> bool:
    """Whether one of the running command's parameters is on the command line.

    What the defaults say of options that a run has no use for is no contradiction.
    """
    context = click.get_current_context()
    return any(context.get_parameter_source(n) is ParameterSource.COMMANDLINE for n in names)


def _of_group(path: Path, group: click.Group, table: dict[str, Any], place: str) -> dict[str, Any]:
    found = {}
    for name, section in table.items():
        command = group.commands.get(name)
        where = f"{place}{name}"
        if not isinstance(section, dict):
            raise ConfigError(
                f"{path}: `{where}` is not in a section of a command, such as [upscale]"
            )
        if command is None:
            hint = suggestion(name, group.commands)
            raise ConfigError(f"{path}: [{where}] is not a command{hint}; see `framelift --help`")
        if isinstance(command, click.Group):
            found[name] = _of_group(path, command, section, f"{where}.")
        else:
            found[name] = _of_command(path, command, section, where)
    return found


def _of_command(
    path: Path, command: click.Command, table: dict[str, Any], where: str
) -> dict[str, Any]:
    options = {
        name.lstrip("-"): parameter
        for parameter in command.params
        if isinstance(parameter, click.Option) and not (parameter.is_eager and parameter.is_flag)
        for name in parameter.opts
        if name.startswith("--")
    }
    found = {}
    for key, value in table.items():
        option = options.get(key.replace("_", "-"))
        if option is None:
            raise ConfigError(
                f"{path}: `{key}` in [{where}] is not an option{suggestion(key, options)}; see "
                f"`framelift {where.replace('.', ' ')} --help`"
            )
        assert option.name is not None
        found[option.name] = _value(path, option, value, f"`{key}` in [{where}]")
    return found


def _value(path: Path, option: click.Option, value: object, what: str) -> object:
    """A value that click can take; it checks the rest. Raises ConfigError."""
    items = value if isinstance(value, list) and option.multiple else [value]
    for item in items:
        if not isinstance(item, str | int | float):
            raise ConfigError(f"{path}: {what} must be {_wanted(option)}")
        if option.is_flag != isinstance(item, bool):
            raise ConfigError(f"{path}: {what} must be {_wanted(option)}, not {item!r}")
    return items if option.multiple else value


def _wanted(option: click.Option) -> str:
    if option.is_flag:
        return "true or false"
    return "a value or a list of values" if option.multiple else "a single value"
