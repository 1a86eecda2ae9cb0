"""`framelift bench`: latency, overhead and quality of a model, as tables and JSON."""

from __future__ import annotations

from collections.abc import Callable
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


_Decorator = Callable[[Callable[..., None]], Callable[..., None]]


def _together(*decorators: _Decorator) -> _Decorator:
    """One decorator that applies several, so that commands share their options."""
    return lambda command: reduce(lambda wrapped, add: add(wrapped), reversed(decorators), command)


_engine_options = _together(
    click.option("--backend", default="auto", show_default=True, help="auto, or a backend's name."),
    click.option(
        "--threads", type=click.IntRange(1), help="CPU threads.  [default: one per processor]"
    ),
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
    click.option(
        "--seconds",
        type=click.FloatRange(0),
        default=5.0,
        show_default=True,
        help="Measure for at least so long, after warm-up.",
    ),
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
)


@click.group()
def bench() -> None:
    """Measure latency, overhead and quality."""


@bench.command()
@click.argument("model")
@_frame_options
@click.option(
    "--batch", type=click.IntRange(1), default=1, show_default=True, help="Frames per call."
)
@_engine_options
@_report_options
def latency(
    model: str,
    size: tuple[int, int],
    seconds: float,
    batch: int,
    backend: str,
    threads: int | None,
    json_target: Path | None,
    markdown_target: Path | None,
) -> None:
    """How long MODEL takes per frame: percentiles, fps, start-up, memory.

    MODEL is the name of a shipped model or an .onnx file.
    """
    from ..benchmarks.latency import LatencySettings, measure_latency

    settings = LatencySettings(
        *size, batch=batch, backend=backend, threads=threads, seconds=seconds
    )
    _report(partial(measure_latency, model, settings), json_target, markdown_target)


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
) -> None:
    """What frames cost around the network: MODEL beside the bare engine call and NumPy code.

    MODEL is the name of a shipped model or an .onnx file. The seconds count for each variant.
    """
    from ..benchmarks.latency import LatencySettings
    from ..benchmarks.overhead import measure_overhead

    settings = LatencySettings(*size, backend=backend, threads=threads, seconds=seconds)
    _report(partial(measure_overhead, model, settings), json_target, markdown_target)


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

        _report(measure, json_target, markdown_target)


def _report(
    measure: Callable[[], Document], json_target: Path | None, markdown_target: Path | None
) -> None:
    from ..benchmarks.report import to_json, write_text
    from ..benchmarks.tables import to_markdown, to_text
    from ..runtime.atomic import check_target

    to_stdout = json_target == Path("-")
    files = [path for path in (json_target, markdown_target) if path and path != Path("-")]
    if len(files) == 2 and files[0].resolve() == files[1].resolve():
        raise ConfigError(f"{files[0]}: is named for both JSON and Markdown; name two files")
    for path in files:
        check_target(path, overwrite=True)
    document = measure()
    click.echo(to_json(document) if to_stdout else to_text(document), nl=False)
    if json_target is not None and not to_stdout:
        write_text(to_json(document), json_target)
    if markdown_target is not None:
        write_text(to_markdown(document), markdown_target)
