"""`--threads`, which several commands share."""

from __future__ import annotations

import click

threads_option = click.option(
    "--threads", type=click.IntRange(1), help="Number of CPU threads. [default: all cores]"
)
