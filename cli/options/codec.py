"""The options about the video codec, which every command that writes video has."""

from __future__ import annotations

from collections.abc import Callable

import click

_Command = Callable[..., None]

# Said here and not read from the encoders, which would import PyAV for `--help`; a test compares.
_OPTIONS = (
    click.option(
        "--codec",
        default="auto",
        metavar="NAME",
        help=(
            "Video encoder: h264, hevc, av1, vp9, prores, ffv1 (lossless), h264-nvenc, "
            "hevc-nvenc or av1-nvenc. [default: h264; hevc for more than 8 bits; av1 in .webm]"
        ),
    ),
    click.option(
        "--crf",
        type=int,
        help=(
            "Quality, from 0 (best) to 51; for av1 and vp9 to 63. [default: 17; hevc 20; av1 28; "
            "vp9 24]"
        ),
    ),
    click.option(
        "--preset",
        metavar="NAME",
        help=(
            "Encoder speed, ultrafast to veryslow; for av1 0 to 13; for vp9 5 to 8; for prores the "
            "profile. Slower presets make smaller files but take CPU time from the model. "
            "[default: veryfast; hevc medium; av1 8; vp9 6; prores hq]"
        ),
    ),
)


def codec_options(command: _Command) -> _Command:
    """Give `command` the arguments `codec`, `crf` and `preset`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
