"""`framelift bench quality`, `footage` and `flicker`: how good the pictures are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...common.errors import ConfigError
from ..options.completions import model_names
from .options import (
    Targets,
    frames_option,
    originals_option,
    parse_codings,
    placement_options,
    report_options,
    show,
    vgg_option,
)

if TYPE_CHECKING:
    from ...benchmarks.shared.settings import Placement


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL...", shell_complete=model_names)
@originals_option("folders", required=True)
@vgg_option
@click.option(
    "--histogram-matching",
    "matching",
    is_flag=True,
    help=(
        "Match the histogram of each output to that of its input before scoring, as Johnson et "
        "al. do."
    ),
)
@click.option(
    "--record",
    is_flag=True,
    help="Store the scores in the model's file, where `framelift models` finds them.",
)
@placement_options
@report_options
def quality(
    models: tuple[str, ...],
    folders: tuple[Path, ...],
    vgg: str | None,
    matching: bool,
    record: bool,
    placement: Placement,
    targets: Targets,
) -> None:
    """Measure PSNR and SSIM of models and of bicubic.

    Both are measured on luma (Y) by the protocol of the literature. With --vgg, also measure the
    distance of VGG-16 features at relu2_2, as in Johnson et al.
    """
    from ...benchmarks.quality.record import record_quality
    from ...benchmarks.quality.scores import measure_quality
    from ...benchmarks.report.model import combine
    from ...benchmarks.report.quality_results import Scores
    from ...common.files import check_target
    from ...runtime.models.zoo import resolve

    if record and matching:
        raise ConfigError(
            "--record stores the scores of the model itself: leave out --histogram-matching"
        )
    for path in map(resolve, models if record else ()):
        # Now, not after an hour of measuring.
        check_target(Path(os.path.realpath(path)), overwrite=True)
    documents = []
    known: dict[tuple[object, ...], Scores] = {}
    for folder, model in ((folder, model) for folder in folders for model in models):
        with _bar("image", model) as progress:
            documents.append(
                measure_quality(model, folder, placement, progress, vgg, matching, known)
            )
        if record:
            record_quality(resolve(model), folder, documents[-1], vgg)
    show(documents[0] if len(documents) == 1 else combine(documents), targets)


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL...", shell_complete=model_names)
@click.option(
    "--clip",
    "clips",
    type=click.Path(path_type=Path),
    required=True,
    multiple=True,
    help="Video of the original size. Repeatable.",
)
@click.option(
    "--codec",
    "codecs",
    metavar="ENCODER:QUALITY,...",
    default="x264:23,x264:28,x265:27,vp9:38,mpeg4:6",
    show_default=True,
    help="Encoders (x264, x265, vp9, av1, mpeg4, mpeg2), each with its crf or quantiser.",
)
@click.option(
    "--first", type=click.IntRange(0), default=12, show_default=True, help="Begin with this frame."
)
@frames_option(33, least=2)
@placement_options
@report_options
def footage(
    models: tuple[str, ...],
    clips: tuple[Path, ...],
    codecs: str,
    first: int,
    frames: int,
    placement: Placement,
    targets: Targets,
) -> None:
    """Compare models with bicubic on clips that real encoders coded.

    Each clip is reduced by the scale of the models, coded with each encoder, decoded and upscaled.
    The result is compared with the clip.

    \b
    framelift bench footage realtime-small-x4-video realtime-small-x4 --clip a.mp4 --clip b.mp4
    """
    from ...benchmarks.quality.footage import FootageSettings, measure_footage

    settings = FootageSettings(parse_codings(codecs), first, frames, **vars(placement))
    with _bar("coding") as progress:
        document = measure_footage(models, clips, settings, progress)
    show(document, targets)


@click.command()
@click.argument("model", shell_complete=model_names)
@click.argument("clip", type=click.Path(path_type=Path))
@frames_option(60)
@placement_options
@report_options
def flicker(
    model: str,
    clip: Path,
    frames: int,
    placement: Placement,
    targets: Targets,
) -> None:
    """Measure how much a model flickers on a clip.

    The command measures how much more the output of MODEL changes from frame to frame than CLIP
    itself, as a ratio: over whole frames, and where the clip is static. In static regions all
    change is flicker. This is mainly for styles; a super-resolution model should be near 1.
    """
    from ...benchmarks.quality.flicker import measure_flicker

    with _bar("frame", model) as progress:
        document = measure_flicker(model, clip, frames, placement, progress)
    show(document, targets)


@contextmanager
def _bar(unit: str, name: str | None = None) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal; call what it gives with how many are done, and of how many."""
    from tqdm import tqdm

    with tqdm(unit=unit, desc=name, leave=False, disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress
