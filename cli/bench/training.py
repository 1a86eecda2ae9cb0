"""`framelift bench train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...common.errors import MissingDependencyError
from ..options.completions import preset_names
from ..options.device import trainer_option
from ..options.threads import threads_option
from .options import (
    Targets,
    report_options,
    show,
    vgg_option,
)


@click.command()
@click.argument("config", shell_complete=preset_names)
@click.option(
    "--data",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of photographs. Repeatable.",
)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a setting. Repeatable."
)
@vgg_option
@click.option(
    "--style",
    type=click.Path(path_type=Path),
    metavar="IMAGE",
    help='Picture whose style is learnt, for configs with task = "style".',
)
@click.option("--steps", type=click.IntRange(1), default=30, show_default=True)
@click.option("--warm-up", type=click.IntRange(0), default=5, show_default=True)
@trainer_option
@threads_option
@report_options
def train(
    config: str,
    folders: tuple[Path, ...],
    overrides: tuple[str, ...],
    targets: Targets,
    **options: Any,  # noqa: ANN401 - those of measure_training
) -> None:
    """Measure images per second of a training with CONFIG. Nothing is written."""
    try:
        from ...benchmarks.measure.train_speed import measure_training
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"training needs {error.name}: pip install 'framelift[train]'"
        ) from error
    show(measure_training(config, folders, overrides, **options), targets)
