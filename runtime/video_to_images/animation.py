"""A video as one animated image: GIF, WebP or APNG."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ...common.errors import ConfigError, OutputError
from ...common.files import atomic_output
from ...common.images.writing import channels_of
from ...common.notes import Say, say_on_stderr
from ...common.signals import call_interruptibly
from ..machine.host import available_memory_bytes
from ..still.animation import Timing, encode_animation
from ..still.gif import in_palette, is_soft, soft_edges_lost
from ..video.clip.frame import Frame
from ..video.pipeline import Pipeline
from ..video.progress import VideoProgress
from ..video.reading.opening import ClipInput, path_of
from ..video.step import FrameUpscaler
from ..video.whole_file import ConvertOptions, VideoResult
from .frames import Times, open_frames

if TYPE_CHECKING:
    from PIL.Image import Image

_FOR_EVER = 0
_CHECKED_FRAMES = 16


def upscale_to_animation(
    clip: ClipInput,
    target: Path,
    upscaler: FrameUpscaler,
    options: ConvertOptions | None = None,
    *,
    overwrite: bool = False,
    quiet: bool = False,
    say: Say = say_on_stderr,
) -> VideoResult:
    """Upscale a clip into an animated image that is repeated for ever.

    All frames are in memory until the file is written; those of a GIF with a byte for each pixel.

    Raises:
        ConfigError: the run is to be resumed, for which nothing could be kept.
        InputError: the clip cannot be read to its end, or is HDR.
        OutputError: the target exists and `overwrite` is false, cannot be written, or its frames
            need more memory than there is.
    """
    options = options or ConvertOptions()
    if options.resume is not None:
        raise cannot_resume(target)
    path = path_of(clip)
    with atomic_output(target, overwrite=overwrite, source=path) as temporary, ExitStack() as stack:
        frames = open_frames(clip, target, upscaler, options, stack, deep_suffixes=(), say=say)
        sink = _AnimationSink(target, frames.facts.frame_count_estimate, say)
        total = frames.facts.frame_count_estimate
        with VideoProgress(path.name, total, quiet=quiet) as progress:
            stats = Pipeline(frames.source, frames.step, sink, pool=frames.pool).run(progress)
        data = call_interruptibly(sink.encoded)
        temporary.write_bytes(data)
    return VideoResult(target, *frames.size_px, [], stats)


def cannot_resume(target: Path) -> ConfigError:
    """The error of `--resume` for an animated image."""
    return ConfigError(
        f"{target.name}: an animated image is written at once and cannot be resumed; make images "
        "first, such as frame_%05d.png"
    )


class _AnimationSink:
    """See `pipeline.FrameSink`: keeps the frames until they are written."""

    def __init__(self, target: Path, total: int | None, say: Say) -> None:
        self._target = target
        self._total = total
        self._say = say
        self._is_gif = target.suffix.lower() == ".gif"
        self._times = Times()
        self._frames: list[Image] = []
        self._has_soft_edges = False

    def write(self, frame: Frame) -> None:
        from PIL import Image

        if len(self._frames) % _CHECKED_FRAMES == 0:
            self._check_memory(frame)
        self._times.add(frame)
        image = Image.fromarray(channels_of(frame.bgr, frame.alpha, grey=False))
        if self._is_gif:
            self._has_soft_edges = self._has_soft_edges or is_soft(image)
            image = in_palette(image)
        self._frames.append(image)

    def finish(self) -> None:
        """Leave the encoding to `encoded`: it takes long, and counts as no frame."""

    def encoded(self) -> bytes:
        """The file."""
        timing = Timing(self._times.milliseconds(), _FOR_EVER)
        if self._has_soft_edges:
            self._say(soft_edges_lost(self._target))
        return encode_animation(self._target, self._frames, timing, {}, self._say)

    def _check_memory(self, frame: Frame) -> None:
        """Raise OutputError if the frames to come need more memory than is free."""
        height, width = frame.bgr.shape[:2]
        each = height * width * (1 if self._is_gif else 3 if frame.alpha is None else 4)
        left = max(_CHECKED_FRAMES, (self._total or 0) - len(self._frames))
        needed, available = each * left, available_memory_bytes()
        if available is not None and needed > available:
            raise OutputError(
                f"{self._target}: frame {len(self._frames) + 1} and the following ones take "
                f"{needed / 1e9:.1f} GB of memory, and {available / 1e9:.1f} GB are free; write a "
                "video, such as .mp4, or a part of it with --start and --end"
            )
