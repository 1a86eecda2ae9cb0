"""`framelift bench train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...common.libraries.needed import needed_for
from ..options.completions import preset_names
from ..options.shared import data_option, set_option, style_option, threads_option, trainer_option
from .options import Targets, report_options, show, vgg_option


@click.command()
@click.argument("config", shell_complete=preset_names)
@data_option
@set_option
@vgg_option
@style_option
@click.option(
    "--steps",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    help="Measure this many steps.",
)
@click.option(
    "--warm-up",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    help="Make this many steps first, without measuring them.",
)
@trainer_option
@threads_option
@report_options
def train(
    config: str,
    folders: tuple[Path, ...],
    overrides: tuple[str, ...],
    targets: Targets,
    **options: Any,  # noqa: ANN401 - those of TrainingSettings
) -> None:
    """Measure the images per second of a training.

    CONFIG is a .toml file or the name of a preset. Nothing is written.
    """
    with needed_for("training", "framelift[train]"):
        from ...benchmarks.speed.training import TrainingSettings, measure_training
    show(measure_training(config, folders, overrides, TrainingSettings(**options)), targets)
