"""`framelift web`: the page that runs models in the browser, served on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from .options.defaults import typed


@click.command()
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8760,
    show_default=True,
    help="Port to listen on; 0 picks a free one.",
)
@click.option("--no-browser", is_flag=True, help="Do not open the browser.")
@click.option(
    "--models",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Offer the Framelift models in this folder. [default: the bundled models]",
)
@click.option(
    "--save",
    "target",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help=(
        "Write the page and the models into this new folder, for publishing; do not start a server."
    ),
)
def web(host: str, port: int, no_browser: bool, folder: Path | None, target: Path | None) -> None:
    """Open a page that upscales pictures and videos in the browser.

    The models run in the browser, on the GPU if it has WebGPU. Nothing is uploaded. Press Ctrl-C to
    stop the server.
    """
    from ..web.site import models_in, save_site

    def say(line: str) -> None:
        click.echo(f"framelift: {line}", err=True)

    if target is not None:
        if typed("host", "port", "no_browser"):
            raise click.UsageError(
                "--save does not start a server: leave out --host, --port and --no-browser"
            )
        size = save_site(target, models_in(folder), say)
        click.echo(f"{target}: the page and its models, {size / 1e6:.1f} MB")
        return
    _serve(host, port, no_browser, folder)


def _serve(host: str, port: int, no_browser: bool, folder: Path | None) -> None:
    import contextlib

    from ..web.model_index import model_index
    from ..web.server import PageServer
    from ..web.site import models_in

    def say(line: str) -> None:
        click.echo(f"framelift: {line}", err=True)

    models = models_in(folder)
    with PageServer(host, port, models, lambda: model_index(models, say)) as server:
        click.echo(f"Serving {server.url} (Ctrl-C stops it)")
        if not no_browser:
            click.launch(server.url)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
