"""`framelift bench latency`, `overhead`, `espcn` and `stream`: the time of a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ...common.errors import ConfigError
from ..options.completions import backend_names, model_names
from ..options.shared import device_option, seconds_option, threads_option
from ..options.types import Finite
from .options import (
    Targets,
    iterations_option,
    parse_sizes,
    placement_options,
    report_options,
    say,
    shipped_or,
    show,
    size_option,
)

if TYPE_CHECKING:
    from ...benchmarks.shared.settings import Placement


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL...", shell_complete=model_names)
@click.option(
    "--size",
    "sizes",
    metavar="WIDTHxHEIGHT",
    callback=parse_sizes,
    multiple=True,
    default=("480x270",),
    help="Size of the input frame, in pixels. Repeatable. [default: 480x270]",
)
@click.option(
    "--batch",
    "batches",
    type=click.IntRange(1),
    multiple=True,
    default=(1,),
    help="Frames per call. Repeatable. [default: 1]",
)
@click.option(
    "--backend",
    "backends",
    multiple=True,
    default=("auto",),
    metavar="NAME",
    help="Backend: auto, or one that `framelift doctor` lists. Repeatable. [default: auto]",
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
@seconds_option()
@iterations_option
@click.option(
    "--no-fresh", is_flag=True, help="Do not measure the start of each case in a new process."
)
@click.option("--no-roofline", is_flag=True, help="Do not measure the machine's peak.")
@report_options
def latency(
    models: tuple[str, ...],
    rivals: tuple[str, ...],
    no_fresh: bool,
    no_roofline: bool,
    targets: Targets,
    **options: Any,  # noqa: ANN401 - other fields of GridSettings
) -> None:
    """Measure how long models take per frame.

    The report has percentiles, fps, the share of the machine's peak and the start-up. Every model
    is measured on every backend and compared with every rival, at every size and batch. Their calls
    take turns.

    \b
    framelift bench latency realtime-small-x4 --size 480x270
    framelift bench latency fp32.onnx int8.onnx --vs torch-eager --vs ort-numpy --html page.html
    """
    from ...benchmarks.shared.settings import GridSettings
    from ...benchmarks.speed.latency import measure_latency

    settings = GridSettings(
        **options,
        rivals=_rivals(rivals),
        fresh=not no_fresh,
        roofline=not no_roofline,
        lenient="all" in rivals,
    )
    show(measure_latency(models, settings, say), targets)


@click.command()
@click.argument("model", shell_complete=model_names)
@size_option
@seconds_option()
@iterations_option
@placement_options
@report_options
def overhead(
    model: str,
    size: tuple[int, int],
    seconds: float,
    iterations: int,
    placement: Placement,
    targets: Targets,
) -> None:
    """Measure what Framelift adds to the time of the network.

    MODEL is compared with the bare ONNX Runtime call and with NumPy code.
    """
    from ...benchmarks.shared.settings import LatencySettings
    from ...benchmarks.speed.overhead import measure_overhead

    settings = LatencySettings(*size, seconds=seconds, iterations=iterations, **vars(placement))
    show(measure_overhead(model, settings), targets)


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...", shell_complete=model_names)
@size_option
@seconds_option()
@iterations_option
@placement_options
@report_options
def espcn(
    models: tuple[str, ...],
    size: tuple[int, int],
    seconds: float,
    iterations: int,
    placement: Placement,
    targets: Targets,
) -> None:
    """Measure the time of models relative to ESPCN.

    Without MODEL, all bundled models are measured. Each model is measured as the network alone
    (float NCHW in and out) and through Upscaler (frames in and out), in the same run as ESPCN of
    the same scale.
    """
    from ...benchmarks.shared.settings import LatencySettings
    from ...benchmarks.speed.espcn import measure_espcn

    settings = LatencySettings(*size, seconds=seconds, iterations=iterations, **vars(placement))
    show(measure_espcn(shipped_or(models), settings, say), targets)


@click.command()
@click.argument("model", shell_complete=model_names)
@size_option
@seconds_option()
@click.option(
    "--fps",
    "rates",
    type=Finite(1, 1000),
    multiple=True,
    default=(24.0, 30.0, 60.0),
    metavar="FPS",
    help="Frame rate of the camera. Repeatable. [default: 24, 30 and 60]",
)
@placement_options
@report_options
def stream(
    model: str,
    size: tuple[int, int],
    seconds: float,
    rates: tuple[float, ...],
    placement: Placement,
    targets: Targets,
) -> None:
    """Measure latency, jitter and drops of a live stream.

    A synthetic camera feeds MODEL. The latency is that from glass to glass.
    """
    from ...benchmarks.shared.settings import LatencySettings
    from ...benchmarks.speed.stream import measure_stream

    settings = LatencySettings(*size, seconds=seconds, **vars(placement))
    show(measure_stream(model, settings, rates), targets)


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
