"""`framelift import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..importer import Imported


@click.command("import")
@click.argument("source", metavar="MODEL.onnx", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="OUT.onnx", required=True,
    help="Where to write the framelift model.",
)  # fmt: skip
@click.option(
    "--range", "span", metavar="BLACK..WHITE",
    help="Values of its pixels: 0..1, 0..255 or -1..1. [default: found by trying]",
)  # fmt: skip
@click.option(
    "--channels", "order", type=click.Choice(["rgb", "bgr"]),
    help="Order of its colours. [default: found by trying, else rgb]",
)  # fmt: skip
@click.option(
    "--window", type=click.IntRange(2), metavar="N",
    help="Frames that a model of sequences of any length gets at once. [default: 5]",
)  # fmt: skip
@click.option(
    "--task", type=click.Choice(["super-resolution", "style"]), default="super-resolution",
    show_default=True, help="What it is for: `framelift upscale` or `framelift stylize`.",
)  # fmt: skip
@click.option("--licence", default="", help="Licence of the weights, kept in the model's metadata.")
@click.option("-y", "--overwrite", is_flag=True, help="Replace an existing model.")
def import_model(
    source: Path,
    output: Path,
    span: str | None,
    order: str | None,
    window: int | None,
    task: str,
    licence: str,
    overwrite: bool,
) -> None:
    """Make of anyone's MODEL.onnx a framelift model that takes frames as they are.

    MODEL.onnx takes and gives float pictures, N×C×H×W, of 1, 3 or 4 channels, in sizes of any kind;
    or several frames, stacked as N×3·T×H×W or as a sequence N×T×3×H×W, for each that it gives.
    How it wants its pixels, how much larger it makes them and how far it reaches is found by
    running it. The result is compared with the file itself and written only if they agree.
    """
    from ..common.signals import call_interruptibly, signals_as_errors
    from ..importer import ImportOptions
    from ..importer import import_model as run

    options = ImportOptions(
        span=span,
        order=order,
        window=window,
        task=task,
        licence=licence,
        overwrite=overwrite,
    )
    with signals_as_errors():
        imported = call_interruptibly(lambda: run(source, output, options, _note))
    _report(imported)


def _note(line: str) -> None:
    click.echo(f"note: {line}", err=True)


def _report(imported: Imported) -> None:
    click.echo(imported.summary(), err=True)
    click.echo("parity with the file   max |Δ|   off by > 1      PSNR", err=True)
    for case in imported.parity:
        decibels = "equal" if case.psnr_db is None else f"{case.psnr_db:.1f} dB"
        click.echo(
            f"{case.label():<22} {case.max_difference:>7}   {case.off_share:>10.4%}  {decibels:>8}",
            err=True,
        )
    click.echo(imported.path)
