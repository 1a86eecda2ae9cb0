"""The options that all commands have that train."""

from __future__ import annotations

from pathlib import Path

import click

data_option = click.option(
    "--data",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of photographs, searched recursively. Repeatable.",
)
set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a setting, for example --set optimizer.lr=5e-4. Repeatable.",
)
style_option = click.option(
    "--style",
    type=click.Path(path_type=Path),
    metavar="IMAGE",
    help='Picture whose style is learnt, for configs with task = "style".',
)
