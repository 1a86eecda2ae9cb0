"""Options that several commands have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .types import Finite, parse_device

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def together(*decorators: Decorator) -> Decorator:
    """One decorator that applies several, so that commands share their options."""
    return lambda command: functools.reduce(
        lambda wrapped, add: add(wrapped), reversed(decorators), command
    )


threads_option = click.option(
    "--threads", type=click.IntRange(1), help="Number of CPU threads. [default: all cores]"
)


tile_option = click.option(
    "--tile", type=click.IntRange(1), help="Largest side of a tile, in input pixels."
)
licence_option = click.option(
    "--licence", default="", help="Licence of the weights, stored in the model's metadata."
)


def targets_option(what: str) -> Decorator:
    """For commands about where a model runs: `what` begins the help."""
    return click.option(
        "--target",
        "targets",
        multiple=True,
        metavar="TOOL[==VERSION]",
        help=f"{what}: onnxruntime, tensorrt10, tensorrt11 or tensorrt-rtx. Repeatable. "
        "[default: all]",
    )


def _number_of_a_gpu(default: str) -> Decorator:
    return click.option(
        "--device",
        metavar="N",
        callback=parse_device,
        help=f"GPU to use, counted from 0. [default: {default}]",
    )


device_option = _number_of_a_gpu("the first; without a GPU, the CPU")
"""For commands that run models."""

gpu_option = _number_of_a_gpu("the first")
"""For commands that need a GPU."""

trainer_option: Decorator = click.option(
    "--device",
    metavar="N",
    default="auto",
    show_default=True,
    help="GPU to use, counted from 0; cpu; or auto, which uses a GPU if there is one.",
)
"""For commands that train."""


def port_option(default: int) -> Decorator:
    """For commands that listen, beside `host_option`."""
    return click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=default,
        show_default=True,
        help="Port to listen on; 0 picks a free one.",
    )


host_option = click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on.",
)


def seconds_option(default: float = 5.0, each: str = "case") -> Decorator:
    """For commands that measure for a time."""
    return click.option(
        "--seconds",
        metavar="SECONDS",
        type=Finite(0),
        default=default,
        show_default=True,
        help=f"Measure each {each} for at least this many seconds, after warm-up.",
    )


# Said here and not read from the encoders, which would import PyAV for `--help`; a test compares.
codec_options = together(
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
"""The arguments `codec`, `crf` and `preset`."""

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
