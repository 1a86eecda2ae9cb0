"""What `framelift upscale` reports of each file and stream, as JSON and as a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

from ...common.text import counted
from ...runtime.video.stats import LiveStatsDict, StatsDict

if TYPE_CHECKING:
    from ...runtime.files.jobs import Job
    from ...runtime.files.make import ImageResult
    from ...runtime.live.run import LiveResult
    from ...runtime.live.sources.address import Source
    from ...runtime.video.whole_file import VideoResult

_LEAST_SHOWN = 0.005
"""Of a share that is shown in whole percents."""


class ImageDone(TypedDict):
    """An image that was made."""

    kind: Literal["image"]
    source: str
    target: str
    width: int
    height: int


class VideoDone(StatsDict):
    """A video that was made, as a video file, as images or as one animated image."""

    kind: Literal["video"]
    source: str
    target: str
    width: int
    height: int
    copied: list[str]
    resumed: int


class LiveDone(StatsDict, LiveStatsDict):
    """A live source that ended."""

    kind: Literal["live"]
    source: str
    target: str
    width: int
    height: int
    copied: list[str]
    ended_by: str
    reconnects: int


Done = ImageDone | VideoDone | LiveDone


class Failed(TypedDict):
    """A file of several that could not be made."""

    source: str
    error: str


class Summary(TypedDict):
    """The document of `--json`."""

    schema: int
    upscaler: dict[str, str | int]
    done: list[Done]
    skipped: list[str]
    failed: list[Failed]
    notes: list[str]
    upscaler_for_images: NotRequired[dict[str, str | int]]


def image_done(job: Job, result: ImageResult) -> ImageDone:
    """What is reported of an image."""
    return {
        "kind": "image",
        "source": str(job.source),
        "target": str(job.target),
        "width": result.width_px,
        "height": result.height_px,
    }


def video_done(job: Job, result: VideoResult) -> VideoDone:
    """What is reported of a video; `frames` counts those of earlier runs, too."""
    done: VideoDone = {
        "kind": "video",
        "source": str(job.source),
        "target": str(job.target),
        "width": result.width_px,
        "height": result.height_px,
        "copied": result.copied,
        "resumed": result.frames_resumed,
        **result.stats.as_dict(),
    }
    done["frames"] = result.frames
    return done


def live_done(source: Source, result: LiveResult) -> LiveDone:
    """What is reported of a live source."""
    return {
        "kind": "live",
        "source": source.shown,
        "target": result.target.shown,
        "width": result.width_px,
        "height": result.height_px,
        "copied": [],
        "ended_by": result.ended_by,
        "reconnects": result.reconnects,
        **result.stats.as_dict(),
        **result.stats.live_dict(),
    }


def line_of(done: Done) -> str:
    """One line about a finished job."""
    size = f"{done['width']}×{done['height']}"
    if done["kind"] == "image":
        return f"{done['target']}: {size}"
    count = counted(done["frames"], "frame")
    frames = f"{done['target']}: {count}, {size}, {done['fps']:.1f} fps, "
    if done["reused"] >= _LEAST_SHOWN:
        frames += f"{done['reused']:.0%} of the pixels reused, "
    if done["kind"] == "live":
        latency, jitter = done["glass_to_glass_ms"], done["jitter_ms"]
        return (
            f"{frames}{done['dropped']} dropped, {done['reconnects']} reconnects, "
            f"latency p50 {latency['p50']:.0f} ms p99 {latency['p99']:.0f} ms, "
            f"jitter p95 {jitter['p95']:.0f} ms, ended by {done['ended_by']}"
        )
    copied = f", {', '.join(done['copied'])} copied" if done["copied"] else ", no audio"
    upscaling = done["stage_ms"]["upscale"]  # not latency_ms, most of which is waiting in queues
    speed = f"upscaling p50 {upscaling['p50']:.0f} ms p95 {upscaling['p95']:.0f} ms a frame"
    return f"{frames}{speed}{copied}"
