"""A whole video file through an upscaler."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av

from ...common.errors import ConfigError, Interrupted, OutputError
from ...common.files import FINISHED_PART_KEPT, NOTHING_LEFT, atomic_output, check_target
from ...common.notes import Say, say_on_stderr
from .clip.colour_tags import TRANSFERS
from .clip.fit import Scaling
from .clip.pool import FramePool
from .clip.span import Span
from .depth import prepare
from .pipeline import Pipeline
from .progress import VideoProgress
from .reading.clip_source import ClipSource
from .reading.deinterlace import Deinterlace
from .reading.opening import ClipInput, identity_of, open_clip, path_of
from .reading.options import ReadOptions
from .resume.segment_sink import KEEPING_SHARE, SEGMENT_FRAMES, SegmentSink
from .resume.segments import WorkFolder, join_segments, work_path
from .stats import PipelineStats
from .step import FrameStep, FrameUpscaler
from .writing.carried import Audio, CopyFrom
from .writing.encoders import EncoderOptions
from .writing.file_sink import FileSink


@dataclass(frozen=True)
class ConvertOptions:
    """What is made of a video besides its codec."""

    audio: Audio = Audio.AUTO
    span: Span = field(default_factory=Span)
    factor: Scaling | None = None
    """Output size over input size, or what the output fits into; `None`: the model's."""
    compare: bool = False
    """Put the input to the left of the result."""
    resume: str | None = None
    """Work in segments and go on where an interrupted run ended. Names the model, so that what
    another one made is not mixed in."""
    segment_frames: int = SEGMENT_FRAMES
    keeping_share: float = KEEPING_SHARE
    assume_transfer: str | None = None
    """"sdr", "pq" or "hlg", for clips of BT.2020 that do not state it."""
    deinterlace: Deinterlace = Deinterlace.FRAME
    reuse: bool = True
    """Do not compute again what did not change since the last frame; the result is the same."""

    def __post_init__(self) -> None:
        if self.assume_transfer not in (None, *TRANSFERS):
            known = ", ".join(TRANSFERS)
            raise ConfigError(f"transfer {self.assume_transfer!r} is unknown: use {known}")

    def reading(self, after_pts: int | None = None, context: int = 0) -> ReadOptions:
        """How the clip is read."""
        return ReadOptions(
            span=self.span,
            after_pts=after_pts,
            context=context,
            deinterlace=self.deinterlace,
            assume_transfer=self.assume_transfer,
        )

    def step(self, upscaler: FrameUpscaler) -> FrameStep:
        """What becomes of each frame."""
        return FrameStep(upscaler, factor=self.factor, compare=self.compare, reuse=self.reuse)


@dataclass(frozen=True)
class Prepared:
    """What upscales and stores the frames of one clip, of the depth that it has."""

    step: FrameStep
    pool: FramePool
    encoder: EncoderOptions
    size_px: tuple[int, int]
    """Width and height of the result."""


@dataclass(frozen=True)
class VideoResult:
    """What was written."""

    path: Path
    width_px: int
    height_px: int
    copied: list[str]
    """The streams that were copied beside the video, as "audio (aac)"."""
    stats: PipelineStats
    frames_resumed: int = 0
    """Frames that an earlier run had made."""

    @property
    def frames(self) -> int:
        """All frames of the video."""
        return self.stats.frames_written + self.frames_resumed


def upscale_video(
    source: ClipInput,
    target: Path,
    upscaler: FrameUpscaler,
    encoder: EncoderOptions | None = None,
    options: ConvertOptions | None = None,
    *,
    overwrite: bool = False,
    quiet: bool = False,
    say: Say = say_on_stderr,
) -> VideoResult:
    """Upscale a video file, or images as its frames; the target appears only when it is complete.

    Depth and chroma are kept as far as `EncoderOptions` and players allow, with frames of 16 bits
    on the way; a line names what is lost. Every frame keeps its time; audio, subtitles, chapters
    and metadata are copied; colour matrix and range, pixel shape and rotation are carried. A
    progress bar is shown unless `quiet`.

    Raises:
        InputError: the source cannot be read to its end.
        OutputError: the target exists and `overwrite` is false, or cannot be written.
        MissingDependencyError: this build of FFmpeg lacks the encoder.
    """
    encoder, options = encoder or EncoderOptions(), options or ConvertOptions()
    encoder.check_suffix(target)
    encoder.for_target(target).check_available()
    work = _Work(source, target, upscaler, encoder, options, overwrite, quiet, say)
    if options.resume is None:
        with encoder.in_use():
            return work.at_once()
    check_target(target, overwrite=overwrite, source=work.source_path)
    try:
        with encoder.in_use():
            return work.in_segments()
    except (Interrupted, OutputError) as error:
        if not work_path(target).exists():  # nothing was finished
            raise
        if isinstance(error, Interrupted):
            text = str(error).partition(";")[0]
            raise Interrupted(f"{text}; {FINISHED_PART_KEPT}", error.exit_code) from error
        raise OutputError(str(error).replace(NOTHING_LEFT, FINISHED_PART_KEPT)) from error


def prepare_clip(
    source: ClipSource,
    path: Path,
    target: Path,
    upscaler: FrameUpscaler,
    encoder: EncoderOptions,
    options: ConvertOptions,
    say: Say,
) -> Prepared:
    """Choose for an open clip, which `path` names, and give it the pool of its frames.

    Raises what `prepare` raises.
    """
    facts = source.facts
    if options.compare and facts.pixel_format.has_alpha:
        say(f"{path.name}: beside the input, the alpha channel is left out")
        facts = replace(facts, pixel_format=replace(facts.pixel_format, has_alpha=False))
    upscaler, encoder = prepare(path, facts, target, upscaler, encoder, say)
    step = options.step(upscaler)
    pool = step.pool()
    source.use_pool(pool, keep_alpha=encoder.stored_format.has_alpha)
    return Prepared(step, pool, encoder, step.output_size(facts.width_px, facts.height_px))


def job_of(
    source: ClipInput,
    encoder: EncoderOptions,
    options: ConvertOptions,
    **more: object,
) -> dict[str, object]:
    """All that the segments of `source` depend on, for `WorkFolder`."""
    return {
        "format": 3,  # 1 and 2 had other times for frames before 0, 1 in AVI
        **identity_of(source),
        "model": options.resume,
        "encoder": [encoder.codec, *sorted(encoder.library_options().items())],
        "pixel_format": encoder.pixel_format,
        "assume_transfer": options.assume_transfer,
        "span": [str(options.span.start), str(options.span.end)],
        "factor": str(options.factor),
        "compare": options.compare,
        "deinterlace": options.deinterlace.value,
        "segment_frames": options.segment_frames,
        "libraries": {name: list(version) for name, version in av.library_versions.items()},
        **more,
    }


@dataclass(frozen=True)
class _Work:
    source: ClipInput
    target: Path
    upscaler: FrameUpscaler
    encoder: EncoderOptions
    options: ConvertOptions
    overwrite: bool
    quiet: bool
    say: Say

    @property
    def source_path(self) -> Path:
        """The input, or the pattern of its names."""
        return path_of(self.source)

    def at_once(self) -> VideoResult:
        """Encode straight into the target."""
        with ExitStack() as stack:
            temporary = stack.enter_context(
                atomic_output(self.target, overwrite=self.overwrite, source=self.source_path)
            )
            source = stack.enter_context(self._source())
            made = self._prepared(source)
            sink = stack.enter_context(self._sink(temporary, source, made))
            progress = stack.enter_context(self._progress(source.facts.frame_count_estimate))
            stats = Pipeline(source, made.step, sink, pool=made.pool).run(progress)
            copied = sink.copied
        return VideoResult(self.target, *made.size_px, copied, stats)

    def in_segments(self) -> VideoResult:
        """Encode what segments are missing, then join them."""
        folder = WorkFolder(self.target, job_of(self.source, self.encoder, self.options))
        with folder:
            folder.note_if_anew(self.say)
            found = folder.found()
            history = self.options.step(self.upscaler).history
            with self._source(after_pts=found.last_pts, context=history) as source:
                facts = source.facts
                made = self._prepared(source)
                sink = SegmentSink(
                    folder,
                    found,
                    facts,
                    made.size_px,
                    made.encoder,
                    target=self.target,
                    segment_frames=self.options.segment_frames,
                    keeping_share=self.options.keeping_share,
                    say=self.say,
                )
                done = len(found.pts)
                if done:
                    self.say(f"{self.target.name}: continuing after {done} frames")
                sink.restore()
                left = facts.frame_count_estimate
                with self._progress(left - done if left else None) as progress:
                    stats = Pipeline(source, made.step, sink, pool=made.pool).run(progress)
                copied = self._join(folder.complete(), source, made)
        folder.remove()
        return VideoResult(self.target, *made.size_px, copied, stats, done)

    def _join(self, segments: list[Path], source: ClipSource, made: Prepared) -> list[str]:
        with (
            atomic_output(
                self.target, overwrite=self.overwrite, source=self.source_path
            ) as temporary,
            self._sink(temporary, source, made) as sink,
        ):
            join_segments(segments, sink)
            return sink.copied

    def _prepared(self, source: ClipSource) -> Prepared:
        return prepare_clip(
            source,
            self.source_path,
            self.target,
            self.upscaler,
            self.encoder,
            self.options,
            self.say,
        )

    def _source(self, after_pts: int | None = None, context: int = 0) -> ClipSource:
        return open_clip(self.source, self.options.reading(after_pts, context), self.say)

    def _sink(self, path: Path, source: ClipSource, made: Prepared) -> FileSink:
        span, index, copied = self.options.span, source.stream_index, None
        if index is not None:
            start = source.start_seconds
            whole = span.is_from_the_beginning
            part = span if whole else Span(start, span.end)
            begins = start if whole else Fraction(0)
            copied = CopyFrom(self.source_path, index, self.options.audio, part, begins)
        return FileSink(
            path,
            source.facts,
            made.size_px,
            made.encoder,
            copied,
            shown_as=self.target,
            say=self.say,
        )

    def _progress(self, total: int | None) -> VideoProgress:
        return VideoProgress(self.source_path.name, total, quiet=self.quiet)
