"""`framelift train`."""

from __future__ import annotations

from pathlib import Path

import click

from ..imaging.errors import MissingDependencyError


@click.command()
@click.argument("config")
@click.option(
    "--data", "folders", multiple=True, type=click.Path(path_type=Path), metavar="DIR",
    help="Folder of photographs, searched recursively; may be given several times.",
)  # fmt: skip
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Run folder: checkpoint, state, history, resolved config.",
)  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on with the run that --out holds.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE",
    help="Override a setting, for instance --set optimizer.lr=5e-4.",
)  # fmt: skip
@click.option(
    "--validate", type=click.Path(path_type=Path), metavar="DIR",
    help="Folder of high-resolution images for PSNR and SSIM during training.",
)  # fmt: skip
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads. [default: all cores]")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def train(
    config: str,
    folders: tuple[Path, ...],
    out: Path,
    resume: bool,
    overrides: tuple[str, ...],
    validate: Path | None,
    device: str,
    threads: int | None,
    quiet: bool,
) -> None:
    """Train a network as CONFIG says: a .toml file or the name of a preset.

    \b
    framelift train realtime-small-x4 --data photos --out runs/small
    """
    try:
        from ..train.start import start
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"training needs {error.name}: pip install 'framelift[train]'"
        ) from error
    path = start(
        config, folders, out, overrides, validate,
        resume=resume, device=device, threads=threads, quiet=quiet,
        say=lambda line: click.echo(line, err=True),
    )  # fmt: skip
    click.echo(path)
