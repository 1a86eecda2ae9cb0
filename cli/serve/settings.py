"""The options of `framelift serve`, and the settings of the server that they ask for."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...common.errors import ConfigError
from ..dispatch.usage import in_one_line

if TYPE_CHECKING:
    from ...serve.jobs.settings import Limits, Model, Settings

TOKEN_VARIABLE = "FRAMELIFT_TOKEN"
_SHORTEST_TOKEN = 16


@dataclass(frozen=True)
class ServeOptions:
    """The options of the command, by their names."""

    host: str
    port: int
    folder: Path | None
    workers: int
    keep: float
    token: str | None
    models: tuple[Path, ...]
    backend: str
    device: int | None
    threads: int | None
    tile: int | None
    max_upload: int
    max_pixels: float
    max_frames: int
    max_seconds: float
    max_queue: int
    memory: int
    job_time: float


def settings_of(chosen: ServeOptions) -> Settings:
    """What the server is made of. Raises ConfigError."""
    from platformdirs import user_data_path

    from ...runtime.models.zoo import shipped_models
    from ...serve.jobs.settings import Settings

    return Settings(
        folder=(chosen.folder or user_data_path("framelift", appauthor=False) / "serve").resolve(),
        command=(sys.executable, "-P", "-m", f"{__package__}.job"),
        check_options=problem_of,
        models=_models(chosen.models),
        arguments=_arguments(chosen),
        workers=chosen.workers,
        keep_seconds=3600 * chosen.keep,
        token=_token(chosen),
        limits=_limits(chosen),
        page_models=shipped_models(),
    )


def _limits(chosen: ServeOptions) -> Limits:
    from ...serve.jobs.settings import Limits

    return Limits(
        bytes=chosen.max_upload,
        pixels=round(1e6 * chosen.max_pixels),
        frames=chosen.max_frames,
        seconds=chosen.max_seconds,
        memory_bytes=chosen.memory,
        job_seconds=3600 * chosen.job_time,
        queue=chosen.max_queue,
    )


def _token(chosen: ServeOptions) -> str | None:
    """The token, taken out of the command line, which other users can see."""
    from ...serve.api.access import is_loopback
    from ..options.command_line import hide_arguments

    token = chosen.token or os.environ.get(TOKEN_VARIABLE)
    if token == "":  # whoever sets a token does not want a server without one
        raise ConfigError(f"{TOKEN_VARIABLE} is empty: set a token, or remove the variable")
    if chosen.token:
        hide_arguments({chosen.token: "…", f"--token={chosen.token}": "--token=…"})
    if token is None:
        if not is_loopback(chosen.host):
            raise ConfigError(
                f"--host {chosen.host}: others can reach this server, so it needs a token: set "
                f"{TOKEN_VARIABLE} or pass --token, for instance what `python -c 'import secrets; "
                "print(secrets.token_urlsafe())'` prints"
            )
        return None
    if len(token) < _SHORTEST_TOKEN or not (token.isascii() and token.isprintable()):
        raise ConfigError(
            f"the token must have at least {_SHORTEST_TOKEN} characters, all of ASCII"
        )
    return token


def _arguments(chosen: ServeOptions) -> list[str]:
    """What every job's command gets."""
    from ...runtime.machine.host import available_processors

    threads = chosen.threads
    if threads is None and chosen.workers > 1:
        threads = max(1, available_processors() // chosen.workers)
    values = {
        "backend": chosen.backend if chosen.backend != "auto" else None,
        "device": chosen.device,
        "threads": threads,
        "tile": chosen.tile,
    }
    return [f"--{name}={value}" for name, value in values.items() if value is not None]


def _models(files: Sequence[Path]) -> dict[str, Model]:
    """The shipped models and those of files, of which only names are shown to clients."""
    from ...common.errors import ForeignModelError
    from ...runtime.models.file import read_spec
    from ...runtime.models.zoo import shipped_models
    from ...serve.jobs.settings import Model

    found: dict[str, Model] = {}
    shipped = shipped_models()
    for name, path in (*shipped.items(), *((path.stem, path.resolve()) for path in files)):
        if name in found:
            raise ConfigError(
                f"--model {path}: a model named {name} exists already; rename the file"
            )
        argument = name if name in shipped else str(path)
        try:
            spec = read_spec(path)
        except ForeignModelError:  # which `upscale` imports
            found[name] = Model(name, "upscale", argument, {"scale": None, "precision": None})
            continue
        command = "stylize" if spec.task == "style" else "upscale"
        facts = {
            "scale": spec.scale,
            "precision": spec.precision,
            "parameters": spec.parameters,
            "licence": spec.licence,
        }
        found[name] = Model(name, command, argument, facts)
    return found


def problem_of(command: str, arguments: Sequence[str]) -> str | None:
    """What the command itself says against these arguments, in its own line."""
    from ..upscale.command import upscale
    from ..upscale.stylize import stylize

    checked = {"upscale": upscale, "stylize": stylize}[command]
    parent = click.Context(click.Group("framelift"), info_name="framelift")
    try:
        checked.make_context(command, ["in", "out", *arguments], parent=parent).close()
    except click.ClickException as error:
        return in_one_line(error)
    return None
