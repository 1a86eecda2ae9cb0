"""The frames of a clip on their way into pictures, which state less of a clip than a video does."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from ...common.errors import InputError
from ...common.images import ALPHA_SUFFIXES
from ...common.images.writing import DEEP_SUFFIXES, check_image_size
from ...common.notes import Say
from ..video.clip.frame import ClipFacts, Frame
from ..video.clip.pool import FramePool
from ..video.depth import at_depth, problem_of
from ..video.reading.clip_source import ClipSource
from ..video.reading.file_source import FileSource
from ..video.reading.opening import ClipInput, open_clip, path_of
from ..video.step import FrameStep, FrameUpscaler
from ..video.turned import upright
from ..video.whole_file import ConvertOptions
from ..video.writing.carried import Audio

_DEEP = 16
_STATING_COLOURS = tuple(name for name in DEEP_SUFFIXES if name not in (".tif", ".tiff"))
"""Formats of more than 8 bits that can state that they are HDR."""


@dataclass(frozen=True)
class Frames:
    """What a pipeline needs for a clip that becomes pictures."""

    facts: ClipFacts
    """Of the frames as they are shown; depth and alpha are those of the pictures."""
    source: Iterable[Frame]
    pool: FramePool
    step: FrameStep
    size_px: tuple[int, int]
    """Of the pictures."""


def open_frames(
    clip: ClipInput,
    target: Path,
    upscaler: FrameUpscaler,
    options: ConvertOptions,
    stack: ExitStack,
    *,
    deep_suffixes: tuple[str, ...],
    after_pts: int | None = None,
    say: Say,
) -> Frames:
    """Open a clip, and say what its pictures cannot hold; `stack` closes it.

    `deep_suffixes` are the formats that hold 16 bits per channel.

    Raises InputError: it cannot be read, or is HDR video, which the pictures cannot hold.
    """
    opened = open_clip(clip, options.reading(after_pts, options.step(upscaler).history), say)
    source = stack.enter_context(opened)
    name, suffix = path_of(clip).name, target.suffix.lower()
    facts, format_ = source.facts, source.facts.pixel_format
    problem = problem_of(upscaler) or ""
    if suffix not in deep_suffixes:
        problem = f"{suffix} has no more"
    if facts.colour.hdr and (problem or suffix not in _STATING_COLOURS):
        states = suffix in _STATING_COLOURS
        why = f"needs more than 8 bits: {problem}" if states else f"{suffix} cannot hold; use .png"
        raise InputError(f"{path_of(clip)}: is HDR video ({facts.colour.hdr}), which {why}")
    is_deep = format_.is_deep and not problem
    if format_.is_deep and problem:
        say(f"{name}: {format_.bits} bits per channel are reduced to 8: {problem}")
    keep_alpha = format_.has_alpha and suffix in (*ALPHA_SUFFIXES, ".gif") and not options.compare
    if format_.has_alpha and not keep_alpha:
        say(f"{name}: the alpha channel is left out")
    _say_what_is_lost(source, name, options, say)
    upscaler = at_depth(upscaler, _DEEP if is_deep else 8)
    step = options.step(upscaler)
    pool = step.pool()
    source.use_pool(pool, keep_alpha=keep_alpha)
    bits = format_.bits if is_deep else 8
    facts = replace(facts, pixel_format=replace(format_, bits=bits, has_alpha=keep_alpha))
    frames, facts, pool = upright(
        source, facts, pool, is_deep=is_deep, name=name, target=target.name, say=say
    )
    size_px = step.output_size(facts.width_px, facts.height_px)
    check_image_size(target, *size_px)
    return Frames(facts, frames, pool, step, size_px)


def _say_what_is_lost(source: ClipSource, name: str, options: ConvertOptions, say: Say) -> None:
    shape = source.facts.sample_aspect_ratio
    if shape != 1:
        say(
            f"{name}: its pixels are {shape.numerator}:{shape.denominator}, which images cannot "
            "store; the size in pixels stays"
        )
    if not isinstance(source, FileSource) or source.container is None:
        return
    streams = source.container.streams
    has_sound = bool(streams.audio) and options.audio is not Audio.NONE
    kinds = ["audio"] * has_sound + ["subtitles"] * bool(streams.subtitles)
    if kinds:
        verb = "is" if kinds == ["audio"] else "are"
        say(f"{name}: its {' and '.join(kinds)} {verb} left out, images hold none")


class Times:
    """How long each frame is shown, exactly."""

    def __init__(self) -> None:
        self._ends: list[Fraction] = []
        self._start: Fraction | None = None

    def add(self, frame: Frame) -> None:
        """The next frame; the one before is shown until it comes."""
        if self._start is None:
            self._start = frame.pts_seconds
        else:
            self._ends[-1] = frame.pts_seconds - self._start
        self._ends.append(frame.pts_seconds + frame.duration * frame.time_base - self._start)

    def milliseconds(self) -> list[int]:
        """Rounded without adding up what is lost."""
        rounded = [0, *(round(end * 1000) for end in self._ends)]
        return [end - start for start, end in pairwise(rounded)]

    def is_even(self) -> bool:
        """Whether all frames but the last, whose time is a guess, are shown equally long."""
        starts = [Fraction(0), *self._ends]
        lengths = [end - start for start, end in pairwise(starts)][:-1]
        # Matroska rounds to milliseconds.
        return not lengths or max(lengths) - min(lengths) <= Fraction(1, 500)
