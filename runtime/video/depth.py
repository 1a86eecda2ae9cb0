"""Decides for one clip how many bits its frames have on the way, and what it is stored as."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self, cast

from ...common.errors import ConfigError, InputError
from ...common.notes import Say
from .clip.frame import ClipFacts
from .step import FrameUpscaler
from .writing.choice import choose
from .writing.encoders import EncoderOptions


class DeepUpscaler(FrameUpscaler, Protocol):
    """An `Upscaler`, which may take frames of 16 bits."""

    @property
    def depth(self) -> int:
        """Bits per channel of its frames."""

    @property
    def deep_problem(self) -> str | None:
        """Why it does not take 16 bits, or `None`."""

    def at_depth(self, depth: int) -> Self:
        """See `Upscaler.at_depth`."""


def prepare(
    source: Path | str,
    facts: ClipFacts,
    target: Path,
    upscaler: FrameUpscaler,
    encoder: EncoderOptions,
    say: Say,
) -> tuple[FrameUpscaler, EncoderOptions]:
    """The upscaler for the clip's depth and the encoder for its pixels; a line names what is lost.

    Raises:
        InputError: it is HDR video, and 8 bits would be left.
        MissingDependencyError: the encoder is missing.
    """
    encoder = encoder.for_target(target, has_alpha=facts.pixel_format.has_alpha)
    try:
        choice = choose(facts, encoder, target.suffix, problem_of(upscaler))
    except ConfigError as error:
        raise InputError(f"{source}: {error}") from error
    if choice.encoder.codec != encoder.codec:
        choice.encoder.check_available()
    for note in choice.notes:
        say(f"{Path(source).name}: {note}")
    return at_depth(upscaler, choice.depth), choice.encoder


def problem_of(upscaler: FrameUpscaler) -> str | None:
    """Why an upscaler takes no frames of 16 bits, or `None`."""
    if not hasattr(upscaler, "at_depth"):
        return "the upscaler takes no others"
    return cast("DeepUpscaler", upscaler).deep_problem


def depth_of(upscaler: FrameUpscaler) -> int:
    """Bits per channel of its frames."""
    return getattr(upscaler, "depth", 8)


def at_depth(upscaler: FrameUpscaler, depth: int) -> FrameUpscaler:
    """The upscaler for frames of that depth, if it has one."""
    if not hasattr(upscaler, "at_depth"):
        return upscaler
    return cast("DeepUpscaler", upscaler).at_depth(depth)
