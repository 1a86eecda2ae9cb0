"""A live source, or a file to a live target, through an upscaler."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace

from ...common.errors import InputError, OutputError
from ...common.files import check_target, is_there
from ...common.images import is_image
from ...common.notes import Say, say_on_stderr
from ...common.signals import call_interruptibly, first_signal_stops
from ..files.output_names import is_sequence
from ..video.clip.pixel_format import PixelFormat
from ..video.depth import at_depth, depth_of, prepare, problem_of
from ..video.pipeline import Pipeline
from ..video.stats import PipelineStats
from ..video.step import FrameStep, FrameUpscaler, pool_for
from ..video.turned import upright
from ..video.writing.encoders import EncoderOptions
from .sources.address import Source, SourceKind
from .sources.opening import Input, LiveOptions, open_input
from .status import Status
from .targets.address import Target, TargetKind
from .targets.opening import Outgoing, open_sink
from .targets.raw_sink import check_raw, raw_format
from .targets.window_sink import WindowSink, require_windows
from .targets.y4m_sink import y4m_format

_WINDOW_TICK_SECONDS = 0.004
_TICK_SECONDS = 0.1


@dataclass(frozen=True)
class LiveResult:
    """What became of a run."""

    target: Target
    width_px: int
    height_px: int
    stats: PipelineStats
    reconnects: int
    ended_by: str
    """"the end of the source", "Ctrl-C", "SIGTERM", "the window" or "the loss of the source"."""
    failure: InputError | None = None
    """Why the source was lost. The output holds all that came before and is complete."""


def check_live(
    source: Source, target: Target, encoder: EncoderOptions, *, overwrite: bool = False
) -> None:
    """Check all that can be checked before anything is opened.

    Raises:
        ConfigError: raw frames are asked for elsewhere than on standard output.
        InputError: a file as source that is not there, or a folder.
        OutputError: the target cannot be written.
        MissingDependencyError: the encoder or OpenCV's windows are missing.
    """
    if source.kind is SourceKind.FILE and not (is_there(source.path) or is_sequence(source.path)):
        raise InputError(f"{source.shown}: no such file or folder")
    if source.kind is SourceKind.FILE and source.path.is_dir():
        raise InputError(f"{source.shown}: is a folder; name a folder for its results, too")
    check_raw(encoder, target)
    if target.kind is TargetKind.FILE:
        check_target(target.path, overwrite=overwrite)
        if is_image(target.path):
            raise OutputError(
                f"{target.path}: {source.shown} becomes a video, and this is the name of an image; "
                "name a video, or an image file as the input"
            )
        encoder.check_suffix(target.path)
        encoder.check_available()
    elif target.kind is TargetKind.WINDOW:
        require_windows()


def upscale_live(
    source: Source,
    target: Target,
    upscaler: FrameUpscaler,
    encoder: EncoderOptions | None = None,
    options: LiveOptions | None = None,
    *,
    overwrite: bool = False,
    quiet: bool = False,
    say: Say = say_on_stderr,
) -> LiveResult:
    """Upscale until the source ends, is lost for good, or the user stops it.

    The first Ctrl-C or SIGTERM ends it well: what was decoded is written and a file is completed;
    the second leaves nothing behind, and so does the first when the source has an end. Of cameras
    and network streams the newest frame is taken when the upscaler is free, unless
    `options.keep_all`; pipes and network files, which have a length, are waited for instead and
    lose nothing. Files are played at their own speed to a window or a stream. Sound goes into
    files and streams, encoded as AAC, in WebM as Opus.

    Raises:
        InputError: the source cannot be opened or is damaged.
        OutputError: the target cannot be written.
        MissingDependencyError: the encoder or OpenCV's windows are missing.
    """
    encoder, options = encoder or EncoderOptions(), options or LiveOptions()
    check_live(source, target, encoder, overwrite=overwrite)
    pool = pool_for(upscaler)
    with ExitStack() as stack:
        window = None
        if target.kind is TargetKind.WINDOW:
            window = WindowSink(f"framelift: {source.shown}")
            stack.callback(window.close)
        stack.enter_context(encoder.in_use())
        status = stack.enter_context(Status(source.shown, quiet=quiet))

        def tell(line: str) -> None:
            status.clear()
            say(line)

        opened = call_interruptibly(lambda: open_input(source, target, options, pool, stack, tell))
        chosen = _at_depth(opened, source, target, upscaler, encoder, tell)
        if chosen[0] is not upscaler:
            pool = pool_for(chosen[0])
        upscaler, encoder, stored = chosen
        if opened.file is not None and stored is not None:
            keep_alpha = stored.has_alpha and not options.compare
            opened.file.use_pool(pool, keep_alpha=keep_alpha)
        is_deep = stored is not None and depth_of(upscaler) == 16
        if target.kind not in (TargetKind.FILE, TargetKind.NULL):  # a file can state a rotation
            opened.frames, opened.facts, pool = upright(
                opened.frames,
                opened.facts,
                pool,
                is_deep=is_deep,
                name=source.shown,
                target=target.shown,
                say=tell,
            )
        step = FrameStep(
            upscaler, factor=options.factor, compare=options.compare, reuse=options.reuse
        )
        size_px = step.output_size(opened.facts.width_px, opened.facts.height_px)
        if window is None:  # the others cannot change their size on the way
            step.keep_size(size_px)
        outgoing = Outgoing(opened.facts, size_px, encoder, opened.sound, stored)
        sink = window or open_sink(target, outgoing, stack, overwrite=overwrite, say=tell)
        pipeline = Pipeline(opened.frames, step, sink, pool=pool, live=opened.drops)
        ended_by = _run(pipeline, opened, window, status)
        failure = opened.live.failure if opened.live else None
    return LiveResult(
        target,
        *size_px,
        pipeline.stats,
        reconnects=opened.live.reconnects if opened.live else 0,
        ended_by="the loss of the source" if failure else ended_by,
        failure=failure,
    )


def _at_depth(
    opened: Input,
    source: Source,
    target: Target,
    upscaler: FrameUpscaler,
    encoder: EncoderOptions,
    say: Say,
) -> tuple[FrameUpscaler, EncoderOptions, PixelFormat | None]:
    """The upscaler for the depth of a file or pipe, its encoder, and what it is stored as.

    Cameras, network streams, and what goes to a window or a stream have 8 bits: `None`.
    """
    if opened.file is None or target.kind in (TargetKind.WINDOW, TargetKind.STREAM):
        return upscaler, encoder, raw_format(encoder, most_bits=8)
    facts = opened.facts
    if target.kind is TargetKind.FILE:
        upscaler, encoder = prepare(source.shown, facts, target.path, upscaler, encoder, say)
        return upscaler, encoder, encoder.stored_format
    stored = raw_format(encoder) or y4m_format(facts.pixel_format, encoder)
    problem = problem_of(upscaler)
    if problem is not None and facts.colour.hdr:
        raise InputError(
            f"{source.shown}: is HDR video ({facts.colour.hdr}), which needs more than 8 bits: "
            f"{problem}"
        )
    if problem is not None and stored.is_deep:
        say(f"{source.shown}: upscaled with 8 bits per channel: {problem}")
        in_8_bits = replace(facts.pixel_format, bits=8)
        stored = raw_format(encoder, most_bits=8) or y4m_format(in_8_bits, EncoderOptions())
    return at_depth(upscaler, 16 if stored.is_deep else 8), encoder, stored


def _run(pipeline: Pipeline, opened: Input, window: WindowSink | None, status: Status) -> str:
    """Run until the end and say what ended it."""
    reasons: list[str] = []

    def stop(reason: str) -> None:
        reasons.append(reason)
        opened.stop()
        pipeline.stop()

    def tick(stats: PipelineStats) -> None:
        status(stats)
        if window is not None and not window.pump() and not reasons:
            stop("the window")

    with first_signal_stops(stop) if opened.endless else nullcontext():
        pipeline.run(tick, tick_seconds=_WINDOW_TICK_SECONDS if window else _TICK_SECONDS)
    return reasons[0] if reasons else "the end of the source"
