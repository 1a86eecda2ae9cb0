"""`framelift bench video`, `realtime` and `reuse`: whole videos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..options.completions import model_names
from ..options.shared import seconds_option
from .options import (
    Targets,
    encoder_options,
    frames_option,
    parse_codings,
    placement_options,
    report_options,
    say,
    shipped_or,
    show,
    size_option,
)

if TYPE_CHECKING:
    from ...benchmarks.shared.settings import Placement
    from ...runtime.video.writing.encoders import EncoderOptions


@click.command()
@click.argument("model", shell_complete=model_names)
@click.argument("file", type=click.Path(path_type=Path))
@frames_option(120)
@click.option(
    "--rounds", default=3, show_default=True, help="Measure this many times and report the median."
)
@click.option("--no-reuse", is_flag=True, help="Compute every pixel of every frame.")
@encoder_options
@placement_options
@report_options
def video(
    model: str,
    file: Path,
    frames: int,
    rounds: int,
    no_reuse: bool,
    encoder: EncoderOptions,
    placement: Placement,
    targets: Targets,
) -> None:
    """Measure the fps of upscaling a video.

    FILE is upscaled without and with an encoder. The report also shows how busy each stage is. A
    short run is subtracted from a long one, so that opening files and filling queues do not count.
    """
    from ...benchmarks.speed.video import measure_video

    document = measure_video(model, file, encoder, frames, rounds, placement, reuse=not no_reuse)
    show(document, targets)


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...", shell_complete=model_names)
@click.option(
    "--video",
    "file",
    type=click.Path(path_type=Path),
    help="Also measure from file to file, with the frames of this video, resized.",
)
@encoder_options
@seconds_option(1.0, "size")
@placement_options
@report_options
def realtime(
    models: tuple[str, ...],
    file: Path | None,
    encoder: EncoderOptions,
    seconds: float,
    placement: Placement,
    targets: Targets,
) -> None:
    """Find the largest output of models at 24, 30 and 60 fps.

    Without MODEL, all bundled models are measured.
    """
    from ...benchmarks.speed.realtime import measure_realtime

    document = measure_realtime(
        shipped_or(models), file, encoder, placement, seconds=seconds, progress=say
    )
    show(document, targets)


@click.command()
@click.argument("model", shell_complete=model_names)
@click.argument("clips", nargs=-1, metavar="[CLIP]...", type=click.Path(path_type=Path))
@size_option
@click.option(
    "--photo",
    type=click.Path(path_type=Path),
    help="Photograph of which static shots are made, with the noise of a camera.",
)
@click.option(
    "--codec",
    "codecs",
    metavar="ENCODER:QUALITY,...",
    help="Also measure each CLIP coded with these encoders (x264, x265, vp9, av1, mpeg4, mpeg2).",
)
@frames_option(72, least=8)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Measure this many times; a frame's time is the median.",
)
@placement_options
@report_options
def reuse(
    model: str,
    clips: tuple[Path, ...],
    codecs: str | None,
    placement: Placement,
    targets: Targets,
    **options: Any,  # noqa: ANN401 - those of ReuseSettings
) -> None:
    """Measure how much time reuse between frames saves.

    Framelift does not compute again what did not change since the last frame.

    A screen recording and an animation are made and coded, besides frames that are all the same and
    noise; CLIPs are added. Every frame is upscaled with and without reuse, and the results are
    compared.

    \b
    framelift bench reuse realtime-small-x4-video-int8 talk.mp4 --codec x264:23,x264:30
    """
    from ...benchmarks.speed.reuse import ReuseSettings, measure_reuse

    settings = ReuseSettings(codings=parse_codings(codecs), **options, **vars(placement))
    show(measure_reuse(model, clips, settings, say), targets)
