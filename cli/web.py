"""`framelift web`: the page that runs models in the browser, served on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from .options.defaults import typed
from .options.shared import host_option, port_option
from .output.lines import print_line


@click.command()
@host_option
@port_option(8760)
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
    import contextlib

    from ..web.model_index import model_index
    from ..web.server import PageServer
    from ..web.site import models_in, save_site

    def say(line: str) -> None:
        print_line(f"framelift: {line}", err=True)

    if target is not None and typed("host", "port", "no_browser"):
        raise click.UsageError(
            "--save does not start a server: leave out --host, --port and --no-browser"
        )
    models = models_in(folder)
    if target is not None:
        size = save_site(target, models, say)
        click.echo(f"{target}: the page and its models, {size / 1e6:.1f} MB")
        return
    with PageServer(host, port, models, lambda: model_index(models, say)) as server:
        click.echo(f"Serving {server.url} (Ctrl-C stops it)")
        if not no_browser:
            click.launch(server.url)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
