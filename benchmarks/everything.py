"""The whole report of several models on this machine, as `make bench` writes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..common.notes import Say, silent
from ..runtime.models.file import ModelSpec, load, read_spec
from ..runtime.models.zoo import default_model, resolve
from ..runtime.video.reading.file_source import FileSource
from ..runtime.video.writing.encoders import EncoderOptions
from .quality.pictures import make_pictures
from .quality.scores import feature_distance, measure_quality, originals
from .report.checks import require_super_resolution
from .report.documents import AnySingle, Collection
from .report.model import combine
from .report.quality_results import Scores
from .rivals import installed
from .shared.graph_cost import count
from .shared.settings import GridSettings, LatencySettings, Placement
from .speed.espcn import measure_espcn
from .speed.latency import measure_latency
from .speed.overhead import measure_overhead
from .speed.realtime import measure_realtime
from .speed.stream import measure_stream
from .speed.video import measure_video

_LATENCY_MOST_SECONDS = 20.0
_MOST_SECONDS = 15.0
_VIDEO_FRAMES = 40
_REALTIME_SECONDS = 0.5
# They compile for a minute before the first frame.
_SLOW_RIVALS = frozenset({"torch-compile", "torch-compile-cuda"})


@dataclass(frozen=True)
class Plan(Placement):
    """What goes into the report besides latency; `images` are folders of originals, `vgg` is for
    the distance of features."""

    images: tuple[Path, ...] = ()
    video: Path | None = None
    size: tuple[int, int] = (480, 270)
    seconds: float = 3.0
    vgg: str | None = None
    iterations: int = 20
    """So that the report of a dozen models takes minutes, not tens of them."""
    latency_iterations: int = 100
    """Of the latency itself, so that its p99 has enough samples."""
    heavy_macs: float = 50e9
    """Multiply-accumulates per frame above which nothing near real time can be expected."""


def measure_everything(plan: Plan, models: Sequence[str], progress: Say) -> Collection:
    """Measure `models`: latency and quality of all; time relative to ESPCN and real time of all but
    those too large for it; rivals, overhead, pictures, video and stream with one of them.

    Raises what the single measurements raise.
    """
    ordered = sorted(models, key=lambda name: _in_order(read_spec(resolve(name))))
    _check(plan, models)
    return combine(list(_measure(plan, ordered, progress)))


def main_model(models: Sequence[str]) -> str:
    """The one that `framelift upscale` uses for images, or else the smallest that is not int8."""
    if (default := default_model(footage=False)) in models:
        return default
    return min(models, key=lambda name: _in_order_of_size(read_spec(resolve(name))))


def _measure(plan: Plan, models: list[str], progress: Say) -> Iterator[AnySingle]:
    main = main_model(models)
    one = LatencySettings(
        *plan.size,
        backend=plan.backend,
        threads=plan.threads,
        device=plan.device,
        seconds=plan.seconds,
        iterations=plan.iterations,
        most_seconds=_MOST_SECONDS,
    )
    grid = GridSettings(
        (plan.size,),
        backends=(plan.backend,),
        threads=plan.threads,
        device=plan.device,
        seconds=plan.seconds,
        iterations=plan.latency_iterations,
        most_seconds=_LATENCY_MOST_SECONDS,
        lenient=True,
    )
    light = [name for name in models if not _is_heavy(name, plan)]
    if len(models) > 1:
        progress("latency of all models")
        yield measure_latency(models, grid, progress)
    known: dict[tuple[object, ...], Scores] = {}
    for images in plan.images:
        progress(f"quality on {images}")
        for name in models:
            yield measure_quality(name, images, plan, vgg=plan.vgg, known=known)
    if light:
        yield measure_espcn(light, replace(one, seconds=plan.seconds / 3), progress)
        yield measure_realtime(
            light,
            plan.video,
            placement=plan,
            seconds=min(plan.seconds, _REALTIME_SECONDS),
            progress=progress,
        )
    rivals = tuple(name for name in installed() if name not in _SLOW_RIVALS)
    progress(f"{main} beside {', '.join(rivals)}")
    yield measure_latency([main], replace(grid, rivals=rivals), progress)
    progress("overhead")
    yield measure_overhead(main, one)
    if plan.images or plan.video:
        yield make_pictures(main, plan.images[:1], plan.video, plan)
    if plan.video is not None:
        progress(f"video {plan.video}")
        yield measure_video(main, plan.video, EncoderOptions(), _VIDEO_FRAMES, placement=plan)
    progress("live stream")
    yield measure_stream(main, one)


def _check(plan: Plan, models: Sequence[str]) -> None:
    """Open everything that is measured later, so that errors come before minutes have passed."""
    for images in plan.images:
        originals(images)
    for name in models:
        require_super_resolution(read_spec(resolve(name)), "the whole report")
    if plan.vgg is not None:
        feature_distance(plan.vgg)
    if plan.video is not None:
        with FileSource(plan.video, say=silent):
            pass


def _is_heavy(name: str, plan: Plan) -> bool:
    width, height = plan.size
    return count(load(resolve(name))[1], 1, height, width).macs > plan.heavy_macs


def _in_order(spec: ModelSpec) -> tuple[int, int, bool]:
    return spec.scale, spec.parameters, spec.precision == "int8"


def _in_order_of_size(spec: ModelSpec) -> tuple[bool, int]:
    return spec.precision == "int8", spec.parameters
