"""The whole report of the shipped models on this machine, as `make bench` writes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..imaging.errors import ModelError
from ..runtime.model_file import read_spec
from ..runtime.video import EncoderOptions
from ..runtime.zoo import shipped_models
from .latency import measure_latency
from .overhead import measure_overhead
from .pictures import make_pictures
from .quality import measure_quality, originals
from .report import Document, combine
from .rivals import installed
from .settings import GridSettings, LatencySettings
from .stream import measure_stream
from .video import measure_video

# So that the report takes minutes, not tens of them.
_ITERATIONS = 20
_VIDEO_FRAMES = 40
_PICTURES = 2
# It compiles for a minute before the first frame.
_SLOW_RIVALS = frozenset({"torch-compile"})


@dataclass(frozen=True)
class Plan:
    """What goes into the report besides latency; `images` is a folder of originals."""

    images: Path | None = None
    video: Path | None = None
    size: tuple[int, int] = (480, 270)
    backend: str = "auto"
    threads: int | None = None
    seconds: float = 3.0


def measure_everything(
    plan: Plan, progress: Callable[[str], None], models: tuple[str, ...] = ()
) -> Document:
    """Measure `models`, by default all that ship; overhead, video and stream with the first.

    Raises what the single measurements raise.
    """
    names = models or tuple(shipped_models())
    if not names:
        raise ModelError("no models ship with this framelift: name one")
    main = min(names, key=_parameters)
    one = LatencySettings(
        *plan.size, backend=plan.backend, threads=plan.threads, seconds=plan.seconds,
        iterations=_ITERATIONS,
    )  # fmt: skip
    rivals = tuple(name for name in installed() if name not in _SLOW_RIVALS)
    grid = GridSettings(
        (plan.size,), backends=(plan.backend,), threads=plan.threads, seconds=plan.seconds,
        iterations=_ITERATIONS,
    )  # fmt: skip
    documents = []
    if len(names) > 1:
        progress("latency of all models")
        documents.append(measure_latency(names, grid, progress))
    progress(f"{main} beside {', '.join(rivals)}")
    documents.append(measure_latency([main], replace(grid, rivals=rivals), progress))
    progress("overhead")
    documents.append(measure_overhead(main, one))
    if plan.images is not None:
        progress(f"quality on {plan.images}")
        quality = (measure_quality(name, plan.images, plan.backend, plan.threads) for name in names)
        documents += quality
        shown = originals(plan.images)[:_PICTURES]
        documents.append(make_pictures(main, shown, plan.backend, plan.threads))
    if plan.video is not None:
        progress(f"video {plan.video}")
        options = EncoderOptions()
        documents.append(
            measure_video(main, plan.video, options, _VIDEO_FRAMES, plan.backend, plan.threads)
        )
    progress("live stream")
    documents.append(measure_stream(main, one))
    return combine(documents)


def _parameters(name: str) -> int:
    return read_spec(shipped_models().get(name, Path(name))).parameters
