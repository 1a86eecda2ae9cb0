"""`framelift serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...common.errors import MissingDependencyError
from ..options.completions import backend_names
from ..options.shared import device_option, host_option, port_option, tile_option
from ..options.types import Finite, Size
from .settings import TOKEN_VARIABLE, ServeOptions, settings_of

_PACKAGES = (
    "starlette",
    "uvicorn",
    "sse_starlette",
    "python_multipart",
    "prometheus_client",
)


@click.command()
@host_option
@port_option(8000)
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
    metavar="NAME",
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
@tile_option
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
    from ...serve.jobs.service import Service
    from ...serve.server import listen
    from ...serve.server import serve as run
    from ...serve.trial import require_working

    settings = settings_of(chosen)
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
