"""A live source, or a file to a live target, through an upscaler."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from io import FileIO

import av.container

from ...common.errors import InputError, OutputError
from ...common.files import atomic_output, check_target
from ...common.notes import Say, say_on_stderr
from ...common.signals import call_interruptibly, first_signal_stops
from ..video.clip.fit import Scaling
from ..video.clip.frame import ClipFacts, Frame
from ..video.clip.pixel_format import PixelFormat
from ..video.clip.pool import FramePool
from ..video.depth import at_depth, depth_of, prepare, problem_of
from ..video.pipeline import FrameSink, Pipeline
from ..video.reading.file_source import FileSource
from ..video.stats import PipelineStats
from ..video.step import FrameStep, FrameUpscaler, pool_for
from ..video.writing.encoders import EncoderOptions
from ..video.writing.file_sink import FileSink
from .address import Source, SourceKind, Target, TargetKind
from .camera import CameraConnection
from .connection import Connection, StreamConnection, Timeouts, open_stream
from .null_sink import NullSink
from .paced import Paced
from .pipe import PipeReader, open_pipe
from .source import LiveSource
from .status import Status
from .stream_sink import StreamSink
from .turned import Turned, is_upright, turn_of
from .window_sink import WindowSink, require_windows
from .y4m_sink import Y4mSink, y4m_format

_WINDOW_TICK_SECONDS = 0.004
_TICK_SECONDS = 0.1
# Their length is that of the list, which grows.
_PLAYLISTS = frozenset({"hls", "dash"})


@dataclass(frozen=True)
class LiveOptions:
    """How a live source is treated."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    reconnect_seconds: float = 60.0
    """How long it is tried to connect again; 0: not at all, and the end of a stream is the end."""
    keep_all: bool = False
    """Hold the source back instead of dropping frames when the upscaler is slower."""
    factor: Scaling | None = None
    """Output size over input size; `None`: the model's."""
    compare: bool = False
    reuse: bool = True
    """Do not compute again what did not change since the last frame."""
    assume_transfer: str | None = None
    """See `ConvertOptions`; of pipes and files."""
    sound_wanted: bool = True
    """Say so when the source has sound, which is not carried."""


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


@dataclass
class _Input:
    """An open source."""

    frames: Iterable[Frame]
    facts: ClipFacts
    stop: Callable[[], None]
    drops: bool
    """Frames come in real time, and old ones give way to new ones."""
    endless: bool = True
    """Stopping it is how it ends; a file that is stopped is incomplete."""
    live: LiveSource | None = None
    file: FileSource | None = None
    """What `frames` comes from, if that is a file or a pipe."""


def check_live(
    source: Source, target: Target, encoder: EncoderOptions, *, overwrite: bool = False
) -> None:
    """Check all that can be checked before anything is opened.

    Raises:
        InputError: a file as source that is not there, or a folder.
        OutputError: the target cannot be written.
        MissingDependencyError: the encoder or OpenCV's windows are missing.
    """
    if source.kind is SourceKind.FILE and not source.path.exists():
        raise InputError(f"{source.shown}: no such file or folder")
    if source.kind is SourceKind.FILE and source.path.is_dir():
        raise InputError(f"{source.shown}: is a folder; name a folder for its results, too")
    if target.kind is TargetKind.FILE:
        check_target(target.path, overwrite=overwrite)
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
    `options.keep_all`; pipes and network files, which have a length, are held back instead and
    lose nothing. Files are played at their own speed to a window or a stream. Sound is not
    carried; where there is some, that is said in one line.

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

        opened = call_interruptibly(lambda: _open(source, target, options, pool, stack, tell))
        chosen = _at_depth(opened, source, target, upscaler, encoder, tell)
        if chosen[0] is not upscaler:
            pool = pool_for(chosen[0])
        upscaler, encoder, stored = chosen
        if opened.file is not None and stored is not None:
            keep_alpha = stored.has_alpha and not options.compare
            opened.file.use_pool(pool, keep_alpha=keep_alpha)
        is_deep = stored is not None and depth_of(upscaler) == 16
        opened, pool = _upright(opened, source, target, pool, tell, is_deep=is_deep)
        step = FrameStep(
            upscaler, factor=options.factor, compare=options.compare, reuse=options.reuse
        )
        size_px = step.output_size(opened.facts.width_px, opened.facts.height_px)
        if window is None:  # the others cannot change their size on the way
            step = FrameStep(
                upscaler,
                factor=options.factor,
                size_px=size_px,
                compare=options.compare,
                reuse=options.reuse,
            )
        sink = window or _sink(
            target, opened.facts, size_px, encoder, stored, stack, overwrite, tell
        )
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
    opened: _Input,
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
        return upscaler, encoder, None
    facts = opened.facts
    if target.kind is TargetKind.FILE:
        made = prepare(source.shown, facts, target.path, upscaler, encoder, say)
        return made.upscaler, made.encoder, made.encoder.stored_format
    stored = y4m_format(facts.pixel_format, encoder)
    problem = problem_of(upscaler)
    if problem is not None and facts.colour.hdr:
        raise InputError(
            f"{source.shown}: is HDR video ({facts.colour.hdr}), which needs more than 8 bits: "
            f"{problem}"
        )
    if problem is not None and stored.is_deep:
        say(f"{source.shown}: upscaled with 8 bits per channel: {problem}")
        stored = y4m_format(replace(facts.pixel_format, bits=8), EncoderOptions())
    return at_depth(upscaler, 16 if stored.is_deep else 8), encoder, stored


def _run(pipeline: Pipeline, opened: _Input, window: WindowSink | None, status: Status) -> str:
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


def _open(
    source: Source,
    target: Target,
    options: LiveOptions,
    pool: FramePool,
    stack: ExitStack,
    say: Say,
) -> _Input:
    container, total_bytes = None, None
    if source.kind is SourceKind.CAMERA:
        return _live(lambda: CameraConnection(source, pool), source, options, stack, say)
    if source.kind is SourceKind.STREAM:
        container = open_stream(source, options.timeouts)
        if not container.duration and not _is_whole_file(source, container):
            first = [container]
            _tell_of_sound(container, source, target, options, say)

            def connect() -> Connection:
                tell = say if first else None
                opened = first.pop() if first else open_stream(source, options.timeouts)
                return StreamConnection(source, opened, options.timeouts, pool, tell)

            return _live(connect, source, options, stack, say)
    elif source.kind is SourceKind.PIPE:
        reader = stack.enter_context(PipeReader(source))
        container, total_bytes = open_pipe(source, reader, say), lambda: reader.total_bytes
    name = source.path if source.kind is SourceKind.FILE else source.shown
    file = stack.enter_context(
        FileSource(
            name,
            container=container,
            total_bytes=total_bytes,
            pool=pool,
            assume_transfer=options.assume_transfer,
            say=say,
        )
    )
    _tell_of_sound(file.container, source, target, options, say)
    if target.kind in (TargetKind.WINDOW, TargetKind.STREAM):
        paced = Paced(file)
        return _Input(paced, file.facts, paced.stop, drops=not options.keep_all)
    return _Input(
        file,
        file.facts,
        lambda: None,
        drops=False,
        endless=source.kind is SourceKind.PIPE,
        file=file,
    )


def _is_whole_file(source: Source, container: av.container.InputContainer) -> bool:
    """Whether a web server sends a file of known length, which has an end, though no duration."""
    web = source.shown.lower().startswith(("http://", "https://"))
    playlist = container.format.name in _PLAYLISTS
    return web and not playlist and container.size > 0


def _tell_of_sound(
    container: av.container.InputContainer,
    source: Source,
    target: Target,
    options: LiveOptions,
    say: Say,
) -> None:
    """Say that the sound is left out, if there is some and something is made of the pictures."""
    if options.sound_wanted and target.kind is not TargetKind.NULL and container.streams.audio:
        say(f"{source.shown}: its sound is left out; sound is kept only from file to file")


def _upright(
    opened: _Input,
    source: Source,
    target: Target,
    pool: FramePool,
    say: Say,
    *,
    is_deep: bool,
) -> tuple[_Input, FramePool]:
    """Turn a clip that is to be shown turned, where the target cannot state that; with the pool
    that the frames are of.
    """
    matrix = opened.facts.display_matrix
    if matrix is None or is_upright(matrix) or target.kind in (TargetKind.FILE, TargetKind.NULL):
        return opened, pool
    turn = turn_of(matrix)
    if turn is None:
        say(
            f"{source.shown}: is to be shown turned by no right angle, which {target.shown} "
            "cannot state; it comes out as it is stored"
        )
        return opened, pool
    turned = Turned(opened.frames, turn, pool, is_deep=is_deep)
    return replace(opened, frames=turned, facts=turn.facts(opened.facts)), turned.own


def _live(
    connect: Callable[[], Connection],
    source: Source,
    options: LiveOptions,
    stack: ExitStack,
    say: Say,
) -> _Input:
    live = stack.enter_context(
        LiveSource(connect, source.shown, reconnect_seconds=options.reconnect_seconds, say=say)
    )
    return _Input(live, live.facts, live.stop, drops=not options.keep_all, live=live)


def _sink(
    target: Target,
    facts: ClipFacts,
    size_px: tuple[int, int],
    encoder: EncoderOptions,
    stored: PixelFormat | None,
    stack: ExitStack,
    overwrite: bool,
    say: Say,
) -> FrameSink:
    if target.kind is TargetKind.FILE:
        temporary = stack.enter_context(atomic_output(target.path, overwrite=overwrite))
        return stack.enter_context(
            FileSink(temporary, facts, size_px, encoder, shown_as=target.path, say=say)
        )
    if target.kind is TargetKind.STREAM:
        connect = call_interruptibly(lambda: StreamSink(target, facts, size_px, encoder))
        return stack.enter_context(connect)
    if target.kind is TargetKind.Y4M:
        if sys.stdout is None:  # Python's word for one that was closed before it started
            raise OutputError(f"{target.shown}: is closed; send it to a pipe or a file")
        stream = stack.enter_context(FileIO(os.dup(sys.stdout.fileno()), "wb"))
        return Y4mSink(stream, facts, size_px, target.shown, say, stored=stored)
    return NullSink()
