"""A video as images, one for each frame, with a number in their names."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from pathlib import Path

from ...common.errors import Interrupted, OutputError
from ...common.files import FINISHED_PART_KEPT, NOTHING_LEFT, describe_os_error, write_durably
from ...common.images import Picture, encode_image
from ...common.images.writing import DEEP_SUFFIXES
from ...common.notes import Say, once, say_on_stderr
from ..session.grey import is_grey
from ..video.clip.frame import ClipFacts, Frame
from ..video.clip.image_sequence import ImageSequence, check_images, numbered_files, with_number
from ..video.pipeline import Pipeline
from ..video.progress import VideoProgress
from ..video.reading.opening import ClipInput, identity_of, path_of
from ..video.resume.segments import WorkFolder, work_path
from ..video.step import FrameUpscaler
from ..video.whole_file import ConvertOptions, VideoResult
from .frames import Times, open_frames

_FIRST = 1
_WIDE_PRIMARIES = (9, 11, 12)
_SRGB_TRANSFER = 13
_UNSPECIFIED = 2
_MADE = re.compile(r"(\d{8})\.(-?\d+)\.\w+")


def upscale_to_images(
    clip: ClipInput,
    pattern: Path,
    upscaler: FrameUpscaler,
    options: ConvertOptions | None = None,
    *,
    overwrite: bool = False,
    quiet: bool = False,
    say: Say = say_on_stderr,
) -> VideoResult:
    """Upscale each frame of a clip into an image, `frame_%05d.png` from 1 on.

    They appear when all of them are made. PNG and TIFF keep 16 bits per channel, PNG also HDR, and
    formats that hold transparency keep that. With `options.resume` an interrupted run goes on where
    it ended.

    Raises:
        InputError: the clip cannot be read to its end, or is HDR and the images cannot hold it.
        OutputError: the images exist and `overwrite` is false, or cannot be written.
    """
    options = options or ConvertOptions()
    source = clip.pattern if isinstance(clip, ImageSequence) else None
    check_images(pattern, overwrite=overwrite, source=source)
    made_folder = not pattern.parent.exists()
    try:
        pattern.parent.mkdir(exist_ok=True)
        with WorkFolder(pattern, _job(clip, upscaler, options)) as folder:
            try:
                return _make(clip, pattern, upscaler, options, folder, quiet=quiet, say=say)
            finally:
                if options.resume is None:
                    _found(folder, keep=False)
    except OSError as error:
        raise OutputError(describe_os_error(pattern, error)) from error
    except (Interrupted, OutputError) as error:
        if options.resume is None or not work_path(pattern).exists():  # nothing was finished
            raise
        text = str(error).partition(";")[0] if isinstance(error, Interrupted) else str(error)
        text = text.replace(f"; {NOTHING_LEFT}", "")
        if isinstance(error, Interrupted):
            raise Interrupted(f"{text}; {FINISHED_PART_KEPT}", error.exit_code) from error
        raise OutputError(f"{text}; {FINISHED_PART_KEPT}") from error
    finally:
        if made_folder and pattern.parent.is_dir() and not any(pattern.parent.iterdir()):
            pattern.parent.rmdir()


def _make(
    clip: ClipInput,
    pattern: Path,
    upscaler: FrameUpscaler,
    options: ConvertOptions,
    folder: WorkFolder,
    *,
    quiet: bool,
    say: Say,
) -> VideoResult:
    folder.note_if_anew(say)
    done = _found(folder, keep=options.resume is not None)
    with ExitStack() as stack:
        frames = open_frames(
            clip,
            pattern,
            upscaler,
            options,
            stack,
            deep_suffixes=DEEP_SUFFIXES,
            after_pts=done[-1][0] if done else None,
            say=say,
        )
        if done:
            say(f"{pattern.name}: continuing after {len(done)} frames")
        sink = _ImageSink(folder.path, len(done), pattern, frames.facts, say)
        total = frames.facts.frame_count_estimate
        left = total - len(done) if total else None
        progress = stack.enter_context(VideoProgress(path_of(clip).name, left, quiet=quiet))
        stats = Pipeline(frames.source, frames.step, sink, pool=frames.pool).run(progress)
    _move(_found(folder, keep=True), pattern, say)
    return VideoResult(pattern, *frames.size_px, [], stats, len(done))


class _ImageSink:
    """See `pipeline.FrameSink`: writes numbered files that hold the time of their frame."""

    def __init__(self, folder: Path, done: int, pattern: Path, facts: ClipFacts, say: Say) -> None:
        self._folder = folder
        self._number = done
        self._pattern = pattern
        self._facts = facts
        self._say = say
        self._say_once = once(say)
        self._times = Times()
        self._colours = _stated_colours(facts)

    def write(self, frame: Frame) -> None:
        self._number += 1
        image = frame.bgr
        grey = self._facts.pixel_format.chroma == 0 and is_grey(image)
        picture = Picture(
            image,
            frame.alpha,
            is_grey=grey,
            depth=self._facts.pixel_format.bits,
            colour_chunks=self._colours,
        )
        name = with_number(self._pattern.name, _FIRST + self._number - 1)
        data = encode_image(self._pattern.with_name(name), picture, say=self._say_once)
        path = self._folder / f"{self._number:08}.{frame.pts}{self._pattern.suffix}"
        try:
            write_durably(path, data)
        except OSError as error:
            raise OutputError(describe_os_error(self._pattern, error)) from error
        self._times.add(frame)

    def finish(self) -> None:
        if not self._times.is_even():
            self._say(
                f"{self._pattern.name}: the frames are shown for different times, which images do "
                "not state"
            )


def _stated_colours(facts: ClipFacts) -> tuple[tuple[bytes, bytes], ...]:
    """The chunk of a PNG that says what its colours are, where they are not those of sRGB."""
    colour = facts.colour
    if colour.hdr is None and colour.primaries not in _WIDE_PRIMARIES:
        return ()
    transfer = _SRGB_TRANSFER if colour.transfer == _UNSPECIFIED else colour.transfer
    return ((b"cICP", bytes([colour.primaries, transfer, 0, 1])),)


def _job(clip: ClipInput, upscaler: FrameUpscaler, options: ConvertOptions) -> dict[str, object]:
    """All that the images depend on."""
    return {
        "format": 2,  # 1 had other times for frames before 0 and in AVI
        **identity_of(clip),
        "model": options.resume,
        "assume_transfer": options.assume_transfer,
        "span": [str(options.span.start), str(options.span.end)],
        "factor": str(options.factor or upscaler.scale),
        "compare": options.compare,
        "deinterlace": options.deinterlace.value,
    }


def _found(folder: WorkFolder, *, keep: bool) -> list[tuple[int, Path]]:
    """The images that were made, from the first on, with their times; all else is removed."""
    made: list[tuple[int, Path]] = []
    for path in sorted(folder.parts()):
        name = _MADE.fullmatch(path.name)
        if keep and name and int(name[1]) == len(made) + 1:
            made.append((int(name[2]), path))
        else:
            path.unlink()
    return made


def _move(made: list[tuple[int, Path]], pattern: Path, say: Say) -> None:
    """Give the images their names, the last first: what a run leaves that ends now begins at 1."""
    older = set(numbered_files(pattern)) - set(range(_FIRST, _FIRST + len(made)))
    for index in reversed(range(len(made))):
        os.replace(made[index][1], pattern.with_name(with_number(pattern.name, _FIRST + index)))
    if older:
        first = with_number(pattern.name, min(older))
        count = "1 older image is" if len(older) == 1 else f"{len(older)} older images are"
        say(f"{pattern.name}: {count} left beside the new ones, from {first} on")
