"""`framelift stylize`: `framelift upscale` with models that keep the size and change the style."""

from __future__ import annotations

from typing import Any

import click

from ..options.completions import model_names
from ..options.sections import SectionedCommand
from .command import run_upscale, upscale

_MODEL = click.Option(
    ["--model"],
    metavar="NAME|FILE",
    shell_complete=model_names,
    help="Bundled style (see `framelift models`) or .onnx file. [default: starry-night]",
)
_COMPARE = click.Option(
    ["--compare"], is_flag=True, help="Show the input to the left of the output."
)
_SIZE = click.Option(
    ["--style-size"],
    type=click.IntRange(1, 4),
    default=1,
    show_default=True,
    help="How many times as large the strokes are: the picture is painted smaller and enlarged.",
)
_OWN = {
    "model": [_MODEL, _SIZE],
    "compare": [_COMPARE],
    "scale": [],
    "size": [],
    "width": [],
    "height": [],
}

_HELP = """Paint videos, images, folders and live streams in a style.

OUT has the same size as IN.

Sources, targets and options are those of `framelift upscale`: files, folders, cameras, network
streams, pipes and the window. Most styles look at the whole frame and refuse --tile.

\b
framelift stylize clip.mp4 painted.mp4
framelift stylize photos/ painted/
framelift stylize 0 window
framelift stylize photo.jpg painted.png --model my-style.onnx
framelift stylize photo.jpg painted.png --style-size 2
"""


def _stylize(**options: Any) -> None:  # noqa: ANN401
    run_upscale(options, task="style")


stylize = SectionedCommand(
    "stylize",
    callback=_stylize,
    params=[mine for theirs in upscale.params for mine in _OWN.get(str(theirs.name), [theirs])],
    help=_HELP,
)
