"""The option about the frame rate of image sequences."""

from __future__ import annotations

import click

frame_rate_option = click.option(
    "--fps",
    metavar="RATE",
    help=(
        "Frames per second of an image sequence that becomes a video, such as 25, 23.976 or "
        "24000/1001."
    ),
)
