"""`framelift bench video`, `footage`, `flicker`, `stream` and `train`: whole runs, end to end."""

from __future__ import annotations

from pathlib import Path

import click

from ...common.errors import MissingDependencyError
from ..options.codec import codec_options
from ..options.completions import model_names, preset_names
from ..options.device import trainer_option
from ..options.finite import Finite
from ..options.threads import threads_option
from .options import (
    Targets,
    engine_options,
    report_options,
    say,
    seconds_option,
    show,
    size_option,
    vgg_option,
)


@click.command()
@click.argument("model", shell_complete=model_names)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--frames", default=120, show_default=True, help="Measure at most this many frames.")
@click.option(
    "--rounds", default=3, show_default=True, help="Measure this many times and report the median."
)
@click.option("--no-reuse", is_flag=True, help="Compute every pixel of every frame.")
@codec_options
@engine_options
@report_options
def video(
    model: str,
    file: Path,
    frames: int,
    rounds: int,
    no_reuse: bool,
    codec: str,
    crf: int | None,
    preset: str | None,
    backend: str,
    device: int | None,
    threads: int | None,
    targets: Targets,
) -> None:
    """Measure the fps of upscaling the video FILE, without and with an encoder, and how busy each
    stage is.

    A short run is subtracted from a long one, so that opening files and filling queues do not
    count.
    """
    from ...benchmarks.measure.video import measure_video
    from ...runtime.video import EncoderOptions

    options = EncoderOptions(codec, crf, preset)
    document = measure_video(
        model, file, options, frames, backend, threads, rounds, device, reuse=not no_reuse
    )
    show(document, targets)


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
@click.option(
    "--frames",
    type=click.IntRange(2),
    default=33,
    show_default=True,
    help="Measure at most this many frames.",
)
@engine_options
@report_options
def footage(
    models: tuple[str, ...],
    clips: tuple[Path, ...],
    codecs: str,
    first: int,
    frames: int,
    backend: str,
    threads: int | None,
    device: int | None,
    targets: Targets,
) -> None:
    """Compare MODELs with bicubic on clips that real encoders coded.

    Each clip is reduced by the scale of the models, coded with each encoder, decoded and upscaled.
    The result is compared with the clip.

    \b
    framelift bench footage realtime-small-x4-video realtime-small-x4 --clip a.mp4 --clip b.mp4
    """
    from tqdm import tqdm

    from ...benchmarks.measure.footage import FootageSettings, measure_footage
    from ...imaging.coding import parse_coding

    codings = tuple(parse_coding(text.strip()) for text in codecs.split(","))
    settings = FootageSettings(codings, first, frames, backend, threads, device)
    with tqdm(unit="coding", leave=False, disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        document = measure_footage(models, clips, settings, progress)
    show(document, targets)


@click.command()
@click.argument("model", shell_complete=model_names)
@click.argument("clip", type=click.Path(path_type=Path))
@click.option("--frames", default=60, show_default=True, help="Measure at most this many frames.")
@engine_options
@report_options
def flicker(
    model: str,
    clip: Path,
    frames: int,
    backend: str,
    device: int | None,
    threads: int | None,
    targets: Targets,
) -> None:
    """Measure how much more the output of MODEL changes from frame to frame than CLIP itself.

    The ratio is measured over whole frames and where the clip is static. In static regions all
    change is flicker. This is mainly for styles; a super-resolution model should be near 1.
    """
    from tqdm import tqdm

    from ...benchmarks.measure.flicker import measure_flicker

    with tqdm(unit="frame", desc=model, leave=False, disable=None) as bar:
        document = measure_flicker(
            model, clip, frames, backend, threads, lambda done: bar.update(done - bar.n), device
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
    default="",
    help="Also measure each CLIP coded with these encoders (x264, x265, vp9, av1, mpeg4, mpeg2).",
)
@click.option(
    "--frames",
    type=click.IntRange(8),
    default=72,
    show_default=True,
    help="Measure at most this many frames.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Measure this many times; a frame's time is the median.",
)
@engine_options
@report_options
def reuse(
    model: str,
    clips: tuple[Path, ...],
    size: tuple[int, int],
    photo: Path | None,
    codecs: str,
    frames: int,
    rounds: int,
    backend: str,
    device: int | None,
    threads: int | None,
    targets: Targets,
) -> None:
    """Measure how much faster MODEL is because what did not change is not computed again.

    A screen recording and an animation are made and coded, besides frames that are all the same and
    noise; CLIPs are added. Every frame is upscaled with and without reuse, and the results are
    compared.

    \b
    framelift bench reuse realtime-small-x4-video-int8 talk.mp4 --codec x264:23,x264:30
    """
    from ...benchmarks.measure.reuse import ReuseSettings, measure_reuse
    from ...imaging.coding import parse_coding

    codings = tuple(parse_coding(text.strip()) for text in codecs.split(",") if text.strip())
    settings = ReuseSettings(size, frames, rounds, photo, codings, backend, threads, device)
    show(measure_reuse(model, clips, settings, say), targets)


@click.command()
@click.argument("model", shell_complete=model_names)
@size_option
@seconds_option
@click.option(
    "--fps",
    "rates",
    type=Finite(1, 1000),
    multiple=True,
    default=(24.0, 30.0, 60.0),
    show_default="24, 30, 60",
    help="Frame rate of the camera. Repeatable.",
)
@engine_options
@report_options
def stream(
    model: str,
    size: tuple[int, int],
    seconds: float,
    rates: tuple[float, ...],
    backend: str,
    device: int | None,
    threads: int | None,
    targets: Targets,
) -> None:
    """Measure glass-to-glass latency, jitter and drops of MODEL behind a synthetic live camera."""
    from ...benchmarks.measure.stream import measure_stream
    from ...benchmarks.shared.settings import LatencySettings

    settings = LatencySettings(
        *size, backend=backend, threads=threads, device=device, seconds=seconds
    )
    show(measure_stream(model, settings, rates), targets)


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
    vgg: str | None,
    style: Path | None,
    steps: int,
    warm_up: int,
    device: str,
    threads: int | None,
    targets: Targets,
) -> None:
    """Measure images per second of a training with CONFIG. Nothing is written."""
    try:
        from ...benchmarks.measure.train_speed import measure_training
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"training needs {error.name}: pip install 'framelift[train]'"
        ) from error
    document = measure_training(
        config,
        folders,
        overrides,
        vgg=vgg,
        style=style,
        device=device,
        threads=threads,
        steps=steps,
        warm_up=warm_up,
    )
    show(document, targets)
