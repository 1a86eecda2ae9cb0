"""The options about bits per channel, for the commands that make videos of videos."""

from __future__ import annotations

from collections.abc import Callable

import click

_Command = Callable[..., None]

# Said here and not read from the runtime, which would import PyAV for `--help`; a test compares.
TRANSFERS = ("sdr", "pq", "hlg")
_OPTIONS = (
    click.option(
        "--pixel-format",
        metavar="NAME",
        help=(
            "Pixel format of videos: same, for the depth and chroma of the source, or one of "
            "FFmpeg's names such as yuv420p10le; bgr24, rgb24, bgr48le or rgb48le for frames "
            "without a header on standard output. [default: same, as far as players of the "
            "container know it; RGB for ffv1]"
        ),
    ),
    click.option(
        "--assume-transfer",
        type=click.Choice(TRANSFERS),
        help=(
            "Read videos that state BT.2020 but no transfer function as SDR, HDR with PQ, or HLG."
        ),
    ),
)


def depth_options(command: _Command) -> _Command:
    """Give `command` the arguments `pixel_format` and `assume_transfer`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
