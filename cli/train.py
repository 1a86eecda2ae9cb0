"""`framelift train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..common.libraries.needed import needed_for
from .options.completions import preset_names
from .options.shared import (
    data_option,
    set_option,
    style_option,
    threads_option,
    trainer_option,
)
from .output.lines import print_line


def _list_presets(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if not asked or context.resilient_parsing:
        return
    from ..train.config.preset_files import preset_names, preset_summary

    for name in preset_names():
        click.echo(f"{name:<30} {preset_summary(name)}")
    context.exit()


@click.command()
@click.argument("config", shell_complete=preset_names)
@data_option
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for the checkpoint, state, history and complete settings of the run.",
)
@click.option("--resume", is_flag=True, help="Continue the run in --out.")
@set_option
@click.option(
    "--validate",
    "validation",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of high-resolution images to measure PSNR and SSIM on during training.",
)
@click.option(
    "--vgg",
    metavar="SOURCE",
    help=(
        "VGG-16 weights for perceptual losses: torchvision (downloads them), or a .pth or .npz "
        "file."
    ),
)
@style_option
@trainer_option
@threads_option
@click.option("--quiet", is_flag=True, help="Do not show a progress bar.")
@click.option(
    "--list-presets",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_list_presets,
    help="List the presets and exit.",
)
def train(**options: Any) -> None:  # noqa: ANN401 - the fields of RunOptions
    """Train a network. CONFIG is a .toml file or the name of a preset.

    \b
    framelift train realtime-small-x4 --data photos --out runs/small
    framelift train johnson-x4-feature --data photos --vgg vgg16.pth --out runs/johnson
    framelift train style --style painting.jpg --data photos --out runs/style
    torchrun --nproc-per-node 4 --no-python framelift train CONFIG --data photos --out runs/four
    """
    with needed_for("training", "framelift[train]"):
        from ..train.loop.start import RunOptions, start
    path = start(RunOptions(**options), say=lambda line: print_line(line, err=True))
    if path is not None:
        click.echo(path)
