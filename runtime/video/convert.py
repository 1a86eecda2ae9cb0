"""A whole video file through an upscaler."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..atomic import atomic_output
from ..notes import Say, say_on_stderr
from .encoders import EncoderOptions
from .file_sink import FileSink
from .file_source import FileSource
from .pipeline import Pipeline
from .pool import FramePool
from .progress import Progress
from .stats import PipelineStats
from .step import FrameUpscaler


@dataclass(frozen=True)
class VideoResult:
    """What was written."""

    path: Path
    width_px: int
    height_px: int
    copied: list[str]
    """The streams that were copied beside the video, as "audio (aac)"."""
    stats: PipelineStats


def upscale_video(
    source_path: Path,
    target: Path,
    upscaler: FrameUpscaler,
    options: EncoderOptions | None = None,
    *,
    overwrite: bool = False,
    audio: bool = True,
    quiet: bool = False,
    say: Say = say_on_stderr,
) -> VideoResult:
    """Upscale a video file; the target appears only when it is complete.

    Every frame keeps its time; audio, subtitles, chapters and metadata are copied; colour matrix
    and range, pixel shape and rotation are carried. Without `audio` the audio is left out. A
    progress bar is shown unless `quiet`.

    Raises:
        InputError: the source cannot be read to its end.
        OutputError: the target exists and `overwrite` is false, or cannot be written.
        MissingDependencyError: this build of FFmpeg lacks the encoder.
    """
    options = options or EncoderOptions()
    options.check_suffix(target)
    options.check_available()
    pool = FramePool()
    with (
        atomic_output(target, overwrite=overwrite, source=source_path) as temporary,
        FileSource(source_path, pool=pool, say=say) as source,
    ):
        facts = source.facts
        size_px = facts.width_px * upscaler.scale, facts.height_px * upscaler.scale
        with (
            FileSink(
                temporary,
                facts,
                size_px,
                options,
                copy_from=(source_path, source.stream_index),
                audio=audio,
                shown_as=target,
                say=say,
            ) as sink,
            Progress(source_path.name, facts.frame_count_estimate, quiet=quiet) as progress,
        ):
            stats = Pipeline(source, upscaler, sink, pool=pool).run(progress)
            copied = sink.copied
    return VideoResult(target, *size_px, copied, stats)
