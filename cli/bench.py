"""`framelift bench`: latency, overhead and quality of a model, as tables and JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..imaging.errors import ConfigError

if TYPE_CHECKING:
    from ..benchmarks.report import Document

_MAX_SIDE = 8192


def _parse_size(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, int]:
    """(width, height) of WIDTHxHEIGHT."""
    width, _, height = value.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ConfigError(f"--size {value!r} is not WIDTHxHEIGHT, such as 480x270")
    size = int(width), int(height)
    if not all(1 <= side <= _MAX_SIDE for side in size):
        raise ConfigError(f"--size {value!r} has a side outside 1 to {_MAX_SIDE} pixels")
    return size


def _parse_sizes(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[int, int], ...]:
    return tuple(_parse_size(ctx, param, value) for value in values)


_Decorator = Callable[[Callable[..., None]], Callable[..., None]]


def _together(*decorators: _Decorator) -> _Decorator:
    """One decorator that applies several, so that commands share their options."""
    return lambda command: reduce(lambda wrapped, add: add(wrapped), reversed(decorators), command)


_threads_option = click.option(
    "--threads", type=click.IntRange(1), help="CPU threads.  [default: one per processor]"
)
_seconds_option = click.option(
    "--seconds",
    type=click.FloatRange(0),
    default=5.0,
    show_default=True,
    help="Measure each case for at least so long, after warm-up.",
)
_engine_options = _together(
    click.option("--backend", default="auto", show_default=True, help="auto, or a backend's name."),
    _threads_option,
)
_frame_options = _together(
    click.option(
        "--size",
        metavar="WIDTHxHEIGHT",
        callback=_parse_size,
        default="480x270",
        show_default=True,
        help="Input frame, in pixels.",
    ),
    _seconds_option,
)
_report_options = _together(
    click.option(
        "--json",
        "json_target",
        type=click.Path(path_type=Path, allow_dash=True),
        help="Write the report with all samples as JSON; - prints it instead of the table.",
    ),
    click.option(
        "--markdown",
        "markdown_target",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write the table as Markdown.",
    ),
    click.option(
        "--html",
        "html_target",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write a page with the tables and charts, in one file.",
    ),
)


@dataclass(frozen=True)
class Targets:
    """Where a report goes; None is left out, and `json` may be `-` for stdout."""

    json: Path | None
    markdown: Path | None
    html: Path | None

    @property
    def files(self) -> list[Path]:
        """What will be written."""
        paths = (self.json, self.markdown, self.html)
        return [path for path in paths if path is not None and path != Path("-")]


@click.group()
def bench() -> None:
    """Measure latency, overhead and quality."""


@bench.command()
@click.argument("models", nargs=-1, required=True)
@click.option(
    "--size",
    "sizes",
    metavar="WIDTHxHEIGHT",
    callback=_parse_sizes,
    multiple=True,
    default=("480x270",),
    show_default="480x270",
    help="Input frame, in pixels; may be given several times.",
)
@click.option(
    "--batch",
    "batches",
    type=click.IntRange(1),
    multiple=True,
    default=(1,),
    show_default="1",
    help="Frames per call; may be given several times.",
)
@click.option(
    "--backend",
    "backends",
    multiple=True,
    default=("auto",),
    show_default="auto",
    help="auto, or a backend's name; may be given several times.",
)
@click.option(
    "--vs",
    "rivals",
    multiple=True,
    metavar="NAME|FILE",
    help="Beside it, on the same frames: torch-eager, torch-compile, ort-numpy, opencv-dnn, "
    "openvino, ncnn, all of them that are installed (all), or another model in ONNX.",
)
@_threads_option
@_seconds_option
@click.option("--no-fresh", is_flag=True, help="Leave out the start of each case in a new process.")
@click.option("--no-roofline", is_flag=True, help="Leave out the machine's peak.")
@_report_options
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
    json_target: Path | None,
    markdown_target: Path | None,
    html_target: Path | None,
) -> None:
    """How long MODELS take per frame: percentiles, fps, share of the machine's peak, start-up.

    Each of MODELS is the name of a shipped model or an .onnx file. Every model is measured on every
    backend and beside every rival, at every size and batch, their calls in turn.

    \b
    framelift bench latency realtime-small-x4 --size 480x270
    framelift bench latency fp32.onnx int8.onnx --vs torch-eager --vs ort-numpy --json report.json
    """
    from ..benchmarks.latency import measure_latency
    from ..benchmarks.settings import GridSettings

    settings = GridSettings(
        sizes, batches, backends, _rivals(rivals), threads, seconds,
        fresh=not no_fresh, roofline=not no_roofline,
    )  # fmt: skip
    targets = Targets(json_target, markdown_target, html_target)
    _report(partial(measure_latency, models, settings, _say), targets)


@bench.command()
@click.argument("model")
@_frame_options
@_engine_options
@_report_options
def overhead(
    model: str,
    size: tuple[int, int],
    seconds: float,
    backend: str,
    threads: int | None,
    json_target: Path | None,
    markdown_target: Path | None,
    html_target: Path | None,
) -> None:
    """What frames cost around the network: MODEL beside the bare engine call and NumPy code.

    MODEL is the name of a shipped model or an .onnx file. The seconds count for each variant.
    """
    from ..benchmarks.overhead import measure_overhead
    from ..benchmarks.settings import LatencySettings

    settings = LatencySettings(*size, backend=backend, threads=threads, seconds=seconds)
    _report(
        partial(measure_overhead, model, settings),
        Targets(json_target, markdown_target, html_target),
    )


@bench.command()
@click.argument("model")
@click.option(
    "--hr",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of original (high-resolution) images.",
)
@_engine_options
@_report_options
def quality(
    model: str,
    folder: Path,
    backend: str,
    threads: int | None,
    json_target: Path | None,
    markdown_target: Path | None,
    html_target: Path | None,
) -> None:
    """PSNR and SSIM (Y) of MODEL and of bicubic, by the protocol of the literature.

    MODEL is the name of a shipped model or an .onnx file.
    """
    from tqdm import tqdm

    from ..benchmarks.quality import measure_quality

    with tqdm(unit="image", leave=False, disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        def measure() -> Document:
            document = measure_quality(model, folder, backend, threads, progress)
            bar.close()  # before the table is printed where the bar is
            return document

        _report(measure, Targets(json_target, markdown_target, html_target))


def _rivals(names: tuple[str, ...]) -> tuple[str, ...]:
    """The rivals asked for, `all` being those that are installed. Raises ConfigError."""
    from ..benchmarks.rivals import NAMES, installed, is_rival

    chosen: list[str] = []
    for name in names:
        if name == "all":
            chosen += installed()
            _say("left out, not installed: " + (", ".join(set(NAMES) - set(installed())) or "none"))
        elif is_rival(name):
            chosen.append(name)
        else:
            known = ", ".join((*NAMES, "all"))
            raise ConfigError(f"--vs {name!r} is unknown: use {known} or an .onnx file")
    return tuple(dict.fromkeys(chosen))


def _say(line: str) -> None:
    """Tell what is being done, on a terminal only."""
    if sys.stderr.isatty():
        click.echo(line, err=True)


def _report(measure: Callable[[], Document], targets: Targets) -> None:
    from ..benchmarks.tables import to_text
    from ..runtime.atomic import check_target

    resolved = [path.resolve() for path in targets.files]
    for path in targets.files:
        if resolved.count(path.resolve()) > 1:
            raise ConfigError(f"{path}: is named for two reports; name a file for each")
        check_target(path, overwrite=True)
    document = measure()
    if targets.json != Path("-"):
        click.echo(to_text(document), nl=False)
    _write(document, targets)


def _write(document: Document, targets: Targets) -> None:
    from ..benchmarks.page import to_html
    from ..benchmarks.report import to_json, write_text
    from ..benchmarks.tables import to_markdown

    if targets.json == Path("-"):
        click.echo(to_json(document), nl=False)
    elif targets.json is not None:
        write_text(to_json(document), targets.json)
    if targets.markdown is not None:
        write_text(to_markdown(document), targets.markdown)
    if targets.html is not None:
        write_text(to_html(document), targets.html)
