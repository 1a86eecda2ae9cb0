"""`framelift bench`: how fast, how well and how near to the machine's limits, as reports."""

from __future__ import annotations

from pathlib import Path

import click

from ..imaging.errors import ConfigError, FrameliftError, MissingDependencyError
from .bench_options import (
    Targets,
    engine_options,
    parse_percent,
    parse_sizes,
    report_options,
    say,
    seconds_option,
    show,
    size_option,
    threads_option,
    vgg_option,
)
from .codec_options import codec_options


@click.group()
def bench() -> None:
    """Measure latency, quality and throughput; MODEL is a shipped model's name or an .onnx file."""


@bench.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option(
    "--size", "sizes", metavar="WIDTHxHEIGHT", callback=parse_sizes, multiple=True,
    default=("480x270",), show_default="480x270",
    help="Input frame, in pixels; may be given several times.",
)  # fmt: skip
@click.option(
    "--batch", "batches", type=click.IntRange(1), multiple=True, default=(1,), show_default="1",
    help="Frames per call; may be given several times.",
)  # fmt: skip
@click.option(
    "--backend", "backends", multiple=True, default=("auto",), show_default="auto",
    help="auto, or a backend's name; may be given several times.",
)  # fmt: skip
@click.option(
    "--vs", "rivals", multiple=True, metavar="NAME|FILE",
    help="Beside it, on the same frames: ort-numpy, torch-eager, torch-compile, opencv-dnn, "
    "openvino, ncnn, `all` of them that are installed, or another model in ONNX.",
)  # fmt: skip
@threads_option
@seconds_option
@click.option("--no-fresh", is_flag=True, help="Leave out the start of each case in a new process.")
@click.option("--no-roofline", is_flag=True, help="Leave out the machine's peak.")
@report_options
def latency(
    models: tuple[str, ...],
    sizes: tuple[tuple[int, int], ...],
    batches: tuple[int, ...],
    backends: tuple[str, ...],
    rivals: tuple[str, ...],
    threads: int | None,
    seconds: float,
    no_fresh: bool,
    no_roofline: bool,
    targets: Targets,
) -> None:
    """How long MODELs take per frame: percentiles, fps, share of the machine's peak, start-up.

    Every model is measured on every backend and beside every rival, at every size and batch, their
    calls in turn.

    \b
    framelift bench latency realtime-small-x4 --size 480x270
    framelift bench latency fp32.onnx int8.onnx --vs torch-eager --vs ort-numpy --html page.html
    """
    from ..benchmarks.latency import measure_latency
    from ..benchmarks.settings import GridSettings

    settings = GridSettings(
        sizes, batches, backends, _rivals(rivals), threads, seconds,
        fresh=not no_fresh, roofline=not no_roofline,
    )  # fmt: skip
    show(measure_latency(models, settings, say), targets)


@bench.command()
@click.argument("model")
@size_option
@seconds_option
@engine_options
@report_options
def overhead(
    model: str,
    size: tuple[int, int],
    seconds: float,
    backend: str,
    threads: int | None,
    targets: Targets,
) -> None:
    """What frames cost around the network: MODEL beside the bare engine call and NumPy code."""
    from ..benchmarks.overhead import measure_overhead
    from ..benchmarks.settings import LatencySettings

    settings = LatencySettings(*size, backend=backend, threads=threads, seconds=seconds)
    show(measure_overhead(model, settings), targets)


@bench.command()
@click.argument("model")
@click.option(
    "--hr", "folder", type=click.Path(path_type=Path), required=True,
    help="Folder of original (high-resolution) images.",
)  # fmt: skip
@vgg_option
@engine_options
@report_options
def quality(
    model: str,
    folder: Path,
    vgg: str | None,
    backend: str,
    threads: int | None,
    targets: Targets,
) -> None:
    """PSNR and SSIM (Y) of MODEL and of bicubic, by the protocol of the literature.

    With --vgg also the distance of VGG-16's features at relu2_2, as in Johnson et al.
    """
    from tqdm import tqdm

    from ..benchmarks.quality import measure_quality

    with tqdm(unit="image", leave=False, disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        document = measure_quality(model, folder, backend, threads, progress, vgg)
    show(document, targets)


@bench.command()
@click.argument("model")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--frames", default=120, show_default=True, help="Measure so many frames at most.")
@codec_options
@engine_options
@report_options
def video(
    model: str,
    file: Path,
    frames: int,
    codec: str,
    crf: int | None,
    preset: str | None,
    backend: str,
    threads: int | None,
    targets: Targets,
) -> None:
    """Upscale the video FILE without and with an encoder: fps, how busy each stage is.

    What a run costs once (opening, filling queues) is taken out by subtracting a short run.
    """
    from ..benchmarks.video import measure_video
    from ..runtime.video import EncoderOptions

    options = EncoderOptions(codec, crf, preset)
    show(measure_video(model, file, options, frames, backend, threads), targets)


@bench.command()
@click.argument("model")
@size_option
@seconds_option
@click.option(
    "--fps", "rates", type=click.FloatRange(1, 1000), multiple=True, default=(24.0, 30.0, 60.0),
    show_default="24, 30, 60", help="Rate of the camera; may be given several times.",
)  # fmt: skip
@engine_options
@report_options
def stream(
    model: str,
    size: tuple[int, int],
    seconds: float,
    rates: tuple[float, ...],
    backend: str,
    threads: int | None,
    targets: Targets,
) -> None:
    """Glass-to-glass latency, jitter and drops of MODEL behind a synthetic live camera."""
    from ..benchmarks.settings import LatencySettings
    from ..benchmarks.stream import measure_stream

    settings = LatencySettings(*size, backend=backend, threads=threads, seconds=seconds)
    show(measure_stream(model, settings, rates), targets)


@bench.command()
@click.argument("config")
@click.option(
    "--data", "folders", multiple=True, type=click.Path(path_type=Path), metavar="DIR",
    help="Folder of photographs; may be given several times.",
)  # fmt: skip
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a setting.")
@vgg_option
@click.option("--steps", type=click.IntRange(1), default=30, show_default=True)
@click.option("--warm-up", type=click.IntRange(0), default=5, show_default=True)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@threads_option
@report_options
def train(
    config: str,
    folders: tuple[Path, ...],
    overrides: tuple[str, ...],
    vgg: str | None,
    steps: int,
    warm_up: int,
    device: str,
    threads: int | None,
    targets: Targets,
) -> None:
    """Images per second when training as CONFIG says; nothing is written."""
    try:
        from ..benchmarks.train_speed import measure_training
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"training needs {error.name}: pip install 'framelift[train]'"
        ) from error
    document = measure_training(
        config, folders, overrides, vgg=vgg, device=device, threads=threads, steps=steps,
        warm_up=warm_up,
    )  # fmt: skip
    show(document, targets)


@bench.command(name="all")
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--hr", "images", type=click.Path(path_type=Path), help="Folder of original images.")
@click.option("--video", "file", type=click.Path(path_type=Path), help="A video file.")
@size_option
@click.option(
    "--seconds", type=click.FloatRange(0), default=3.0, show_default=True,
    help="Measure each case for at least so long, after warm-up.",
)  # fmt: skip
@engine_options
@report_options
def everything(
    models: tuple[str, ...],
    images: Path | None,
    file: Path | None,
    size: tuple[int, int],
    seconds: float,
    backend: str,
    threads: int | None,
    targets: Targets,
) -> None:
    """One report of everything about MODELs, by default those that ship."""
    from ..benchmarks.everything import Plan, measure_everything

    plan = Plan(images, file, size, backend, threads, seconds)
    show(measure_everything(plan, say, models), targets)


@bench.command()
@click.argument("reports", nargs=-1, required=True, type=click.Path(path_type=Path))
@report_options
def render(reports: tuple[Path, ...], targets: Targets) -> None:
    """Show REPORTS that were written as JSON, together, in another form."""
    from ..benchmarks.report import combine, read_document

    documents = [read_document(path) for path in reports]
    show(documents[0] if len(documents) == 1 else combine(documents), targets)


@bench.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option(
    "--fail-above", "limit", metavar="PERCENT", callback=parse_percent,
    help="Exit with 1 when a figure is worse by more than that and it is not noise.",
)  # fmt: skip
def compare(old: Path, new: Path, limit: float | None) -> None:
    """Compare two reports in JSON; a positive change is for the worse."""
    from ..benchmarks.compare import compare as compare_documents
    from ..benchmarks.report import read_document
    from ..benchmarks.tables import aligned

    result = compare_documents(read_document(old), read_document(new))
    click.echo("\n".join(aligned(result.table())))
    for name in result.missing:
        click.echo(f"missing in {new}: {name}")
    for note in result.notes:
        click.echo(f"note: {note}")
    if limit is None:
        return
    if worse := result.worse_than(limit):
        names = "; ".join(f"{change.old.name} {change.share:+.1%}" for change in worse)
        raise FrameliftError(f"worse by more than {limit:.0%}: {names}")
    if result.missing:
        raise FrameliftError(f"{new}: lacks figures of {old}: {'; '.join(result.missing)}")


def _rivals(names: tuple[str, ...]) -> tuple[str, ...]:
    """The rivals asked for, `all` being those that are installed. Raises ConfigError."""
    from ..benchmarks.rivals import NAMES, installed, is_rival

    chosen: list[str] = []
    for name in names:
        if name == "all":
            chosen += installed()
            absent = ", ".join(name for name in NAMES if name not in chosen)
            say(f"left out, not installed: {absent or 'none'}")
        elif is_rival(name):
            chosen.append(name)
        else:
            known = ", ".join((*NAMES, "all"))
            raise ConfigError(f"--vs {name!r} is unknown: use {known} or an .onnx file")
    return tuple(dict.fromkeys(chosen))
