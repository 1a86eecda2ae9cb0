"""A video file end to end: decoding, upscaling and, with an encoder, writing, all at once.

A short and a long run of the same frames are subtracted, so that what happens once (opening files,
filling queues, draining the encoder) cancels out: frames per second are the difference in frames
divided by the difference in time. That is repeated in rounds, each beside the upscaler alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from msgspec.structs import replace

from ...runtime import Upscaler
from ...runtime.live.targets.opening import NullSink
from ...runtime.video.pipeline import FrameSink, Pipeline
from ...runtime.video.reading.file_source import FileSource
from ...runtime.video.step import FrameStep, pool_for
from ...runtime.video.writing.encoders import EncoderOptions
from ...runtime.video.writing.file_sink import FileSink
from ..machine.facts import describe_machine
from ..machine.monitor import Monitor
from ..report.checks import machine_warnings
from ..report.documents import Video
from ..report.model import new_document
from ..report.results import Run, VideoResults, VideoRun
from ..shared.settings import ANYWHERE, Placement, require_frames, require_least
from ..shared.timing import time_ms

NULL = "none"
_SHORT_SHARE = 4
_MIN_FRAMES = 8
ROUNDS = 3


@dataclass(frozen=True)
class Pass:
    """One pass over the first `frames` frames: wall time, and seconds that each stage worked."""

    frames: int
    seconds: float
    busy_seconds: dict[str, float]
    reused_share: float = 0.0


def measure_video(
    model: str | Path,
    file: Path,
    options: EncoderOptions,
    frames: int = 120,
    rounds: int = ROUNDS,
    placement: Placement = ANYWHERE,
    *,
    reuse: bool = True,
) -> Video:
    """Measure the first `frames` frames of `file` without and with an encoder.

    Each run has its share of the rate of the upscaler alone, which takes as many frames
    as a short run right before and after it, so that what disturbs the machine hits both. Of the
    `rounds`, which take turns, that with the middle share is reported, beside the shares of all.
    With `reuse`, what did not change from frame to frame is not computed again, as `upscale` does
    it; the upscaler alone computes everything.

    Raises ConfigError for fewer than 8 frames or no round, InputError, ModelError, BackendError,
    OutputError.
    """
    require_least("frames", frames, _MIN_FRAMES)
    require_least("rounds", rounds, 1)
    machine = describe_machine()
    monitor = Monitor(gpu=bool(machine.gpus))
    sinks = {NULL: None, options.codec_name: options}
    measured: dict[str, list[VideoRun]] = {name: [] for name in sinks}
    alone_ms: list[float] = []
    with placement.load(model) as upscaler:
        total = _available(file, frames)
        short = total // _SHORT_SHARE
        run_pipeline(upscaler, file, short, None)  # engine and file cache are warm afterwards
        before = _inference_ms(upscaler, file, short)
        for _ in range(rounds):
            for name, encoder in sinks.items():
                runs = [
                    run_pipeline(upscaler, file, count, encoder, reuse=reuse)
                    for count in (short, total)
                ]
                after = _inference_ms(upscaler, file, short)
                monitor.sample()
                result = subtract(*runs)
                alone = median(before + after)
                share = result.fps and result.fps * alone / 1000
                measured[name].append(replace(result, share_of_inference_rate=share))
                alone_ms += after
                before = after
        warnings = [
            f"sink {name}: too few frames to cancel the start-up: measure more with --frames, or a "
            "longer file"
            for name, results in measured.items()
            if any(result.fps is None for result in results)
        ]
        conditions = monitor.report()
        warnings += machine_warnings(machine, conditions)
        settings = {
            "file": file.name,
            "frames": total,
            "rounds": rounds,
            "backend": placement.backend,
            "codec": options.codec_name,
            "reuse": reuse,
        }
        found = VideoResults(
            runs={name: middle_round(results) for name, results in measured.items()},
            inference_fps=1000 / median(alone_ms),
            conditions=conditions,
        )
        return new_document(Video, machine, settings, found, warnings, upscaler)


def middle_round(results: list[VideoRun]) -> VideoRun:
    """The round whose share of the inference rate is the (lower) middle one, with all shares."""
    shares = tuple(result.share_of_inference_rate for result in results)
    known = sorted(share for share in shares if share is not None)
    middle = shares.index(known[(len(known) - 1) // 2]) if known else 0
    return replace(results[middle], shares_of_inference_rate=shares)


def subtract(short: Pass, long: Pass) -> VideoRun:
    """What the frames that the long run has more than the short one took."""
    seconds = long.seconds - short.seconds
    frames = long.frames - short.frames
    steady = seconds > 0
    # Of a run in which every frame takes the same, what does not depend on their number.
    start_up = max(0.0, long.seconds - long.frames * seconds / frames) if steady else None
    busy = {
        name: max(0.0, long.busy_seconds[name] - short.busy_seconds[name])
        for name in long.busy_seconds
    }
    occupancy = {name: value / seconds if steady else None for name, value in busy.items()}
    reused = long.reused_share * long.frames - short.reused_share * short.frames
    return VideoRun(
        frames=long.frames,
        fps=frames / seconds if steady else None,
        start_up_seconds=start_up,
        occupancy=occupancy,
        bottleneck=max(busy, key=lambda name: busy[name]),
        short=Run(frames=short.frames, seconds=short.seconds),
        long=Run(frames=long.frames, seconds=long.seconds),
        reused_share=reused / frames,
    )


def _available(file: Path, frames: int) -> int:
    """How many frames the file has, at most `frames`."""
    with FileSource(file) as source:
        count = sum(1 for _ in islice(source, frames))
    require_frames(file, count, _MIN_FRAMES)
    return count


def _inference_ms(upscaler: Upscaler, file: Path, calls: int) -> list[float]:
    """How long the upscaler alone takes for a frame of the file, so many times."""
    with FileSource(file, say=_silent) as source:
        image = next(iter(source)).bgr
    out = upscaler(image)
    return [time_ms(lambda: upscaler(image, out=out)) for _ in range(calls)]


def run_pipeline(
    upscaler: Upscaler,
    file: Path,
    frames: int,
    encoder: EncoderOptions | None,
    *,
    reuse: bool = True,
) -> Pass:
    """Upscale the first `frames` frames of `file`, into nowhere without an encoder."""
    started = perf_counter()
    pool = pool_for(upscaler)
    with (
        FileSource(file, pool=pool, say=_silent) as source,
        _sink(source, upscaler.scale, encoder) as sink,
    ):
        step = FrameStep(upscaler, reuse=reuse)
        stats = Pipeline(islice(source, frames), step, sink, pool=pool).run()
    seconds = perf_counter() - started
    return Pass(stats.frames_written, seconds, dict(stats.busy_seconds), stats.reused_share)


@contextmanager
def _sink(source: FileSource, scale: int, encoder: EncoderOptions | None) -> Iterator[FrameSink]:
    if encoder is None:
        yield NullSink()
        return
    size = source.facts.width_px * scale, source.facts.height_px * scale
    with TemporaryDirectory() as folder, encoder.in_use():
        target = Path(folder) / f"upscaled{encoder.encoder.suffixes[0]}"
        with FileSink(target, source.facts, size, encoder, say=_silent) as sink:
            yield sink


def _silent(line: str) -> None:
    """Notes about the clip are `framelift upscale`'s to make."""
