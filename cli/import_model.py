"""`framelift import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options.shared import licence_option
from .output.lines import print_line

if TYPE_CHECKING:
    from ..importer import Imported


@click.command("import")
@click.argument("source", metavar="MODEL.onnx", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="OUT.onnx",
    required=True,
    help="File to write the Framelift model to.",
)
@click.option(
    "--range",
    "span",
    metavar="BLACK..WHITE",
    help="Range of its pixel values: 0..1, 0..255 or -1..1. [default: found by trying]",
)
@click.option(
    "--channels",
    "order",
    type=click.Choice(["rgb", "bgr"]),
    help="Order of its colours. [default: found by trying, otherwise rgb]",
)
@click.option(
    "--window",
    type=click.IntRange(2),
    metavar="N",
    help="Frames at a time for a model that takes sequences of any length. [default: 5]",
)
@click.option(
    "--task",
    type=click.Choice(["super-resolution", "style"]),
    default="super-resolution",
    show_default=True,
    help=(
        "Purpose of the model: super-resolution is for `framelift upscale`, style for "
        "`framelift stylize`."
    ),
)
@licence_option
@click.option("-y", "--overwrite", is_flag=True, help="Replace an existing model.")
def import_model(source: Path, output: Path, **options: Any) -> None:  # noqa: ANN401
    """Make a Framelift model of another super-resolution ONNX file.

    `framelift upscale --model` does this by itself; use this command to keep the result or to set
    what cannot be found out. MODEL.onnx takes and returns float pictures, N×C×H×W, with 1, 3 or 4
    channels. It may also take several frames for each one that it returns, stacked as N×3·T×H×W or
    as a sequence N×T×3×H×W. Framelift runs the file to find out its range of pixel values, its
    scale and how far it reaches. The result is compared with the file itself and written only if
    they agree.
    """
    from ..common.signals import call_interruptibly, signals_as_errors
    from ..importer import ImportOptions
    from ..importer import import_model as run

    chosen = ImportOptions(**options)
    with signals_as_errors():
        imported = call_interruptibly(lambda: run(source, output, chosen, _note))
    _report(imported)


def _note(line: str) -> None:
    print_line(f"note: {line}", err=True)


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
