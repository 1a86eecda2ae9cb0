"""Opens what the frames come from: a camera, a network stream, a pipe or a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field

import av.container

from ....common.notes import Say
from ...video.clip.fit import Scaling
from ...video.clip.frame import ClipFacts, Frame
from ...video.clip.image_sequence import ImageSequence
from ...video.clip.pool import FramePool
from ...video.reading.clip_source import ClipSource
from ...video.reading.file_source import FileSource
from ...video.reading.image_source import ImageSource
from ...video.reading.options import ReadOptions
from ...video.writing.sound_feed import SoundFeed
from ..targets.address import Target, TargetKind
from .address import Source, SourceKind
from .animation import open_animation
from .camera import CameraConnection
from .network import Connection, StreamConnection, Timeouts, best_audio, open_stream
from .paced import Paced
from .pipe import PipeReader, open_pipe
from .reconnecting import LiveSource

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
    images: ImageSequence | None = None
    """What the source is, if it is an image sequence."""
    sound_wanted: bool = True
    """Carry the sound into files and streams; say so where it cannot be."""


@dataclass
class Input:
    """An open source."""

    frames: Iterable[Frame]
    facts: ClipFacts
    stop: Callable[[], None]
    drops: bool
    """Frames come in real time, and old ones give way to new ones."""
    endless: bool = True
    """Stopping it is how it ends; a file that is stopped is incomplete."""
    live: LiveSource | None = None
    file: ClipSource | None = None
    """What `frames` comes from, if that is a file or a pipe."""
    sound: SoundFeed | None = None
    """The sound beside the frames, which comes while they are iterated over."""


def open_input(
    source: Source,
    target: Target,
    options: LiveOptions,
    pool: FramePool,
    stack: ExitStack,
    say: Say,
) -> Input:
    """Open the source; `stack` closes it. Files get the speed that the target asks for.

    Raises InputError: it cannot be opened, or is damaged.
    """
    reading = ReadOptions(assume_transfer=options.assume_transfer)
    if options.images is not None:
        images = ImageSource(options.images, reading, say=say)
        images.use_pool(pool)
        return _file(stack.enter_context(images), source, target, options)
    container, total_bytes, reader = None, None, None
    if source.kind is SourceKind.CAMERA:
        return _live(lambda: CameraConnection(source, pool), source, options, stack, say)
    if source.kind is SourceKind.STREAM:
        container = open_stream(source, options.timeouts)
        if not container.duration and not _is_whole_file(source, container):
            first = [container]
            sound = _sound_of(container, source, target, options, say)

            def connect() -> Connection:
                tell = say if first else None
                opened = first.pop() if first else open_stream(source, options.timeouts)
                return StreamConnection(
                    source, opened, options.timeouts, pool, tell, has_sound=sound is not None
                )

            return _live(connect, source, options, stack, say, sound)
    elif source.kind is SourceKind.PIPE:
        reader = stack.enter_context(PipeReader(source))
    if (animation := open_animation(source, reader, pool, stack, say)) is not None:
        return _file(animation, source, target, options)
    if reader is not None:
        pipe = reader
        container, total_bytes = open_pipe(source, pipe, say), lambda: pipe.total_bytes
    name = source.path if source.kind is SourceKind.FILE else source.shown
    file = stack.enter_context(
        FileSource(
            name,
            reading,
            container=container,
            total_bytes=total_bytes,
            pool=pool,
            say=say,
        )
    )
    sound = _sound_of(file.container, source, target, options, say)
    if sound is not None:
        file.listen(sound.stream, sound.put)
    return _file(file, source, target, options, sound)


def _file(
    file: ClipSource,
    source: Source,
    target: Target,
    options: LiveOptions,
    sound: SoundFeed | None = None,
) -> Input:
    """A file or pipe, at the speed that the target asks for."""
    if target.kind in (TargetKind.WINDOW, TargetKind.STREAM):
        paced = Paced(file)
        return Input(paced, file.facts, paced.stop, drops=not options.keep_all, sound=sound)
    return Input(
        file,
        file.facts,
        lambda: None,
        drops=False,
        endless=source.kind is SourceKind.PIPE,
        file=file,
        sound=sound,
    )


def _is_whole_file(source: Source, container: av.container.InputContainer) -> bool:
    """Whether a web server sends a file of known length, which has an end, though no duration."""
    web = source.shown.lower().startswith(("http://", "https://"))
    playlist = container.format.name in _PLAYLISTS
    return web and not playlist and (container.size or 0) > 0


def _sound_of(
    container: av.container.InputContainer,
    source: Source,
    target: Target,
    options: LiveOptions,
    say: Say,
) -> SoundFeed | None:
    """Where the sound goes through, if there is some, and files and streams can have it."""
    if not options.sound_wanted or target.kind is TargetKind.NULL or not container.streams.audio:
        return None
    stream = best_audio(container)
    if target.kind not in (TargetKind.FILE, TargetKind.STREAM):
        say(f"{source.shown}: its sound is left out because {target.shown} cannot carry it")
    elif stream is None:
        say(f"{source.shown}: its sound is left out because it cannot be decoded")
    else:
        if len(container.streams.audio) > 1:
            say(
                f"{source.shown}: only one of its {len(container.streams.audio)} sound tracks is "
                "kept"
            )
        return SoundFeed(stream, say)
    return None


def _live(
    connect: Callable[[], Connection],
    source: Source,
    options: LiveOptions,
    stack: ExitStack,
    say: Say,
    sound: SoundFeed | None = None,
) -> Input:
    live = stack.enter_context(
        LiveSource(
            connect,
            source.shown,
            reconnect_seconds=options.reconnect_seconds,
            keeps_all=options.keep_all,
            sound=sound,
            say=say,
        )
    )
    return Input(live, live.facts, live.stop, drops=not options.keep_all, live=live, sound=sound)
