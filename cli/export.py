"""`framelift export`."""

from __future__ import annotations

from pathlib import Path

import click

from ..imaging.errors import MissingDependencyError


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="MODEL.onnx",
    help="Where to write. [default: CHECKPOINT with the suffix .onnx]",
)  # fmt: skip
@click.option("--opset", default=20, show_default=True, help="ONNX opset of the model.")
@click.option("--licence", default="", help="Licence of the weights, kept in the model's metadata.")
@click.option("-y", "--overwrite", is_flag=True, help="Replace an existing model.")
def export(
    checkpoint: Path, output: Path | None, opset: int, licence: str, overwrite: bool
) -> None:
    """Turn CHECKPOINT into one self-describing ONNX model that takes frames as they are.

    The model is compared with PyTorch on a photograph and on noise, at several sizes; it is written
    only if they agree.
    """
    try:
        from ..export.exporter import export_checkpoint
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"export needs {error.name}: pip install 'framelift[train,cpu]'"
        ) from error
    target = output or checkpoint.with_suffix(".onnx")
    exported = export_checkpoint(checkpoint, target, opset, licence, overwrite)
    click.echo("parity with PyTorch    max |Δ|   off by > 1      PSNR", err=True)
    for case in exported.parity:
        decibels = "equal" if case.psnr_db is None else f"{case.psnr_db:.1f} dB"
        click.echo(
            f"{case.label():<22} {case.max_difference:>7}   {case.off_share:>10.4%}  {decibels:>8}",
            err=True,
        )
    size_kb = exported.path.stat().st_size / 1000
    click.echo(
        f"opset {exported.opset}, {exported.parameters:,} parameters, {size_kb:.0f} kB", err=True
    )
    click.echo(exported.path)
