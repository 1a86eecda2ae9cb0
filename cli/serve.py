"""`framelift serve`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..common.errors import ConfigError, MissingDependencyError
from .options.completions import backend_names
from .options.device import device_option
from .options.finite import Finite
from .options.size import Size
from .usage import in_one_line

if TYPE_CHECKING:
    from ..serve.jobs.settings import Limits, Model, Settings

TOKEN_VARIABLE = "FRAMELIFT_TOKEN"
_SHORTEST_TOKEN = 16
_PACKAGES = (
    "starlette",
    "uvicorn",
    "sse_starlette",
    "python_multipart",
    "prometheus_client",
)


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


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 picks a free one.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for uploads, jobs and results. [default: in the user's data folder]",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="How many videos, and as many pictures beside them, are upscaled at once.",
)
@click.option(
    "--keep",
    type=Finite(0, min_open=True),
    default=24.0,
    show_default=True,
    metavar="HOURS",
    help="How long to keep results and unfinished uploads.",
)
@click.option(
    "--token",
    metavar="TEXT",
    help=f"Token that clients must send; required for any --host except 127.0.0.1. Prefer the "
    f"environment variable {TOKEN_VARIABLE}, which other users cannot see.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Also offer this .onnx file, under its name without .onnx. Repeatable.",
)
@click.option(
    "--backend",
    default="auto",
    show_default=True,
    shell_complete=backend_names,
    help="Backend for all jobs, as for `framelift upscale`.",
)
@device_option
@click.option(
    "--threads",
    type=click.IntRange(1),
    help="Inference threads of each job. [default: the cores, shared among the workers]",
)
@click.option("--tile", type=click.IntRange(1), help="Largest side of a tile, in input pixels.")
@click.option(
    "--max-upload", type=Size(), default="2G", show_default=True, help="Largest upload, in bytes."
)
@click.option(
    "--max-pixels",
    type=Finite(0, min_open=True),
    default=16.0,
    show_default=True,
    metavar="MILLIONS",
    help="Largest picture or frame, in millions of pixels; a result may have 16 times as many.",
)
@click.option(
    "--max-frames",
    type=click.IntRange(1),
    default=20_000,
    show_default=True,
    help="Largest number of frames of a video.",
)
@click.option(
    "--max-seconds",
    type=Finite(0, min_open=True),
    default=600.0,
    show_default=True,
    help="Longest duration of a video.",
)
@click.option(
    "--max-queue",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="How many jobs may wait, and how many uploads may be unfinished.",
)
@click.option(
    "--memory",
    type=Size(),
    default="4G",
    show_default=True,
    help="Memory limit of a job's process; 0 sets no limit. Not on Windows.",
)
@click.option(
    "--job-time",
    type=Finite(0, min_open=True),
    default=6.0,
    show_default=True,
    metavar="HOURS",
    help="Longest time that a job may run.",
)
def serve(**options: Any) -> None:  # noqa: ANN401 - the fields of ServeOptions
    """Serve an HTTP API and a web page that upscale uploaded files.

    POST /v1/upscale takes one image and answers with the larger one. POST /v1/jobs queues a video;
    further requests return its progress and its result. /openapi.json describes the whole API.

    By default only this machine can reach the server. Any other --host needs a token. Each job runs
    the `framelift upscale` command in a process of its own with limits. Unfinished jobs continue
    when the server starts again. Press Ctrl-C to stop the server.

    \b
    framelift serve
    FRAMELIFT_TOKEN=... framelift serve --host 0.0.0.0 --workers 2 --keep 2
    curl -F file=@photo.jpg http://127.0.0.1:8000/v1/upscale -o photo_x4.png
    """
    chosen = ServeOptions(**options)
    _require_packages()
    from ..serve.jobs.service import Service
    from ..serve.server import listen
    from ..serve.server import serve as run
    from ..serve.trial import require_working

    settings = _settings(chosen)
    bound = listen(chosen.host, chosen.port)
    try:
        require_working(settings)
        service = Service(settings)
    except BaseException:
        bound.close()
        raise
    port = bound.getsockname()[1]
    host = f"[{chosen.host}]" if ":" in chosen.host else chosen.host
    click.echo(f"http://{host}:{port}, jobs in {settings.folder}; Ctrl-C ends it", err=True)
    run(service, bound, lambda line: click.echo(line, err=True))


def _require_packages() -> None:
    from importlib.util import find_spec

    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f'`framelift serve` needs {", ".join(missing)}: pip install "framelift[serve]"'
        )


def _settings(chosen: ServeOptions) -> Settings:
    import sys

    from platformdirs import user_data_path

    from ..runtime.models.zoo import shipped_models
    from ..serve.jobs.settings import Settings

    return Settings(
        folder=(chosen.folder or user_data_path("framelift", appauthor=False) / "serve").resolve(),
        command=(sys.executable, "-P", "-m", f"{__package__}.serve_job"),
        check_options=_problem,
        models=_models(chosen.models),
        arguments=_arguments(chosen),
        workers=chosen.workers,
        keep_seconds=3600 * chosen.keep,
        token=_token(chosen),
        limits=_limits(chosen),
        page_models=shipped_models(),
    )


def _limits(chosen: ServeOptions) -> Limits:
    from ..serve.jobs.settings import Limits

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
    """The token, which no longer stands in the command line that others can see."""
    from ..serve.api.access import is_loopback
    from .options.command_line import hide_arguments

    token = chosen.token or os.environ.get(TOKEN_VARIABLE) or None
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
    from ..runtime.machine.host import available_processors

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
    from ..common.errors import ForeignModelError
    from ..runtime.models.file import read_spec
    from ..runtime.models.zoo import shipped_models
    from ..serve.jobs.settings import Model

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


def _problem(command: str, arguments: Sequence[str]) -> str | None:
    """What the command itself says against these arguments, in its own line."""
    from .stylize import stylize
    from .upscale import upscale

    checked = {"upscale": upscale, "stylize": stylize}[command]
    parent = click.Context(click.Group("framelift"), info_name="framelift")
    try:
        checked.make_context(command, ["in", "out", *arguments], parent=parent).close()
    except click.ClickException as error:
        return in_one_line(error)
    return None
