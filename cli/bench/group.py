"""`framelift bench`: how fast, how well and how near to the machine's limits, as reports."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ...common.errors import ConfigError
from ..options.codec import codec_options
from ..options.completions import backend_names, model_names
from ..options.device import device_option
from ..options.finite import Finite
from ..options.threads import threads_option
from . import reports as bench_reports
from . import runs as bench_runs
from .options import (
    Targets,
    engine_options,
    iterations_option,
    parse_sizes,
    report_options,
    say,
    seconds_option,
    shipped_or,
    show,
    size_option,
    vgg_option,
)


@click.group()
def bench() -> None:
    """Measure latency, quality and throughput. MODEL is the name of a bundled model or an .onnx
    file."""


@bench.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL...", shell_complete=model_names)
@click.option(
    "--size",
    "sizes",
    metavar="WIDTHxHEIGHT",
    callback=parse_sizes,
    multiple=True,
    default=("480x270",),
    show_default="480x270",
    help="Size of the input frame, in pixels. Repeatable.",
)
@click.option(
    "--batch",
    "batches",
    type=click.IntRange(1),
    multiple=True,
    default=(1,),
    show_default="1",
    help="Frames per call. Repeatable.",
)
@click.option(
    "--backend",
    "backends",
    multiple=True,
    default=("auto",),
    show_default="auto",
    help="auto, or a backend that `framelift doctor` shows. Repeatable.",
    shell_complete=backend_names,
)
@click.option(
    "--vs",
    "rivals",
    multiple=True,
    metavar="NAME|FILE",
    help=(
        "Compare with this on the same frames: ort-numpy, torch-eager, torch-compile, "
        "opencv-dnn, openvino or ncnn; on an NVIDIA GPU ort-cuda, torch-eager-cuda or "
        "torch-compile-cuda; all of those that can run here (`all`); or another ONNX model. "
        "Repeatable."
    ),
)
@device_option
@threads_option
@seconds_option
@iterations_option
@click.option(
    "--no-fresh", is_flag=True, help="Do not measure the start of each case in a new process."
)
@click.option("--no-roofline", is_flag=True, help="Do not measure the machine's peak.")
@report_options
def latency(
    models: tuple[str, ...],
    sizes: tuple[tuple[int, int], ...],
    batches: tuple[int, ...],
    backends: tuple[str, ...],
    rivals: tuple[str, ...],
    device: int | None,
    threads: int | None,
    seconds: float,
    iterations: int,
    no_fresh: bool,
    no_roofline: bool,
    targets: Targets,
) -> None:
    """Measure how long MODELs take per frame: percentiles, fps, share of the machine's peak,
    start-up.

    Every model is measured on every backend and compared with every rival, at every size and batch.
    Their calls take turns.

    \b
    framelift bench latency realtime-small-x4 --size 480x270
    framelift bench latency fp32.onnx int8.onnx --vs torch-eager --vs ort-numpy --html page.html
    """
    from ...benchmarks.measure.latency import measure_latency
    from ...benchmarks.shared.settings import GridSettings

    settings = GridSettings(
        sizes,
        batches,
        backends,
        _rivals(rivals),
        threads,
        seconds,
        iterations,
        fresh=not no_fresh,
        roofline=not no_roofline,
        lenient="all" in rivals,
        device=device,
    )
    show(measure_latency(models, settings, say), targets)


@bench.command()
@click.argument("model", shell_complete=model_names)
@size_option
@seconds_option
@iterations_option
@engine_options
@report_options
def overhead(
    model: str,
    size: tuple[int, int],
    seconds: float,
    iterations: int,
    backend: str,
    device: int | None,
    threads: int | None,
    targets: Targets,
) -> None:
    """Measure what frames cost around the network: MODEL compared with the bare ONNX Runtime call
    and with NumPy code."""
    from ...benchmarks.measure.overhead import measure_overhead
    from ...benchmarks.shared.settings import LatencySettings

    settings = LatencySettings(
        *size,
        backend=backend,
        threads=threads,
        device=device,
        seconds=seconds,
        iterations=iterations,
    )
    show(measure_overhead(model, settings), targets)


@bench.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...", shell_complete=model_names)
@size_option
@seconds_option
@iterations_option
@engine_options
@report_options
def espcn(
    models: tuple[str, ...],
    size: tuple[int, int],
    seconds: float,
    iterations: int,
    backend: str,
    device: int | None,
    threads: int | None,
    targets: Targets,
) -> None:
    """Measure the time of MODELs, by default all bundled models, relative to ESPCN of the same
    scale.

    Each model is measured as the network alone (float NCHW in and out) and through Upscaler (frames
    in and out), in the same run as ESPCN.
    """
    from ...benchmarks.measure.espcn import measure_espcn
    from ...benchmarks.shared.settings import LatencySettings

    settings = LatencySettings(
        *size,
        backend=backend,
        threads=threads,
        device=device,
        seconds=seconds,
        iterations=iterations,
    )
    show(measure_espcn(shipped_or(models), settings, say), targets)


@bench.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...", shell_complete=model_names)
@click.option(
    "--video",
    "file",
    type=click.Path(path_type=Path),
    help="Also measure from file to file, with the frames of this video, resized.",
)
@codec_options
@click.option(
    "--seconds",
    type=Finite(0),
    default=1.0,
    show_default=True,
    help="Measure each size for at least this many seconds, after warm-up.",
)
@engine_options
@report_options
def realtime(
    models: tuple[str, ...],
    file: Path | None,
    codec: str,
    crf: int | None,
    preset: str | None,
    seconds: float,
    backend: str,
    device: int | None,
    threads: int | None,
    targets: Targets,
) -> None:
    """Find the largest output at 24, 30 and 60 fps of MODELs, by default all bundled models."""
    from ...benchmarks.measure.realtime import measure_realtime
    from ...runtime.video import EncoderOptions

    document = measure_realtime(
        shipped_or(models),
        file,
        EncoderOptions(codec, crf, preset),
        backend=backend,
        threads=threads,
        device=device,
        seconds=seconds,
        progress=say,
    )
    show(document, targets)


@bench.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL...", shell_complete=model_names)
@click.option(
    "--hr",
    "folders",
    type=click.Path(path_type=Path),
    required=True,
    multiple=True,
    help="Folder of original (high-resolution) images. Repeatable.",
)
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
@engine_options
@report_options
def quality(
    models: tuple[str, ...],
    folders: tuple[Path, ...],
    vgg: str | None,
    matching: bool,
    record: bool,
    backend: str,
    device: int | None,
    threads: int | None,
    targets: Targets,
) -> None:
    """Measure PSNR and SSIM (Y) of MODELs and of bicubic, by the protocol of the literature.

    With --vgg, also measure the distance of VGG-16 features at relu2_2, as in Johnson et al.
    """
    from tqdm import tqdm

    from ...benchmarks.measure.quality import measure_quality
    from ...benchmarks.measure.record import record_quality
    from ...benchmarks.report.model import combine
    from ...benchmarks.report.results import Scores
    from ...common.files import check_target
    from ...runtime.models.zoo import resolve

    if record and matching:
        raise ConfigError("--record keeps the scores of the model itself: leave the matching out")
    for path in map(resolve, models if record else ()):
        # Now, not after an hour of measuring.
        check_target(Path(os.path.realpath(path)), overwrite=True)
    documents = []
    known: dict[tuple[object, ...], Scores] = {}
    for folder, model in ((folder, model) for folder in folders for model in models):
        with tqdm(unit="image", desc=model, leave=False, disable=None) as bar:

            def progress(done: int, total: int, bar: tqdm[None] = bar) -> None:
                bar.total = total
                bar.update(done - bar.n)

            documents.append(
                measure_quality(
                    model, folder, backend, threads, progress, vgg, matching, known, device
                )
            )
        if record:
            record_quality(resolve(model), folder, documents[-1], vgg)
    show(documents[0] if len(documents) == 1 else combine(documents), targets)


for _command in (
    bench_runs.video,
    bench_runs.footage,
    bench_runs.flicker,
    bench_runs.reuse,
    bench_runs.stream,
    bench_runs.train,
):
    bench.add_command(_command)
for _command in (bench_reports.everything, bench_reports.render, bench_reports.compare):
    bench.add_command(_command)


def _rivals(names: tuple[str, ...]) -> tuple[str, ...]:
    """The rivals asked for, `all` being those that are installed. Raises ConfigError."""
    from ...benchmarks.rivals import NAMES, installed, is_rival

    chosen: list[str] = []
    for name in names:
        if name == "all":
            chosen += installed()
            absent = ", ".join(name for name in NAMES if name not in chosen)
            say(f"left out, not installed or without a GPU: {absent or 'none'}")
        elif is_rival(name):
            chosen.append(name)
        else:
            known = ", ".join((*NAMES, "all"))
            raise ConfigError(f"--vs {name!r} is unknown: use {known} or an .onnx file")
    return tuple(dict.fromkeys(chosen))
