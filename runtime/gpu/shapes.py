"""Shape profiles: the smallest, the usual and the largest batch of frames an engine takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from ...common.errors import ConfigError
from ..models.file import ModelSpec

_SHAPE = re.compile(r"(?:(\d+)[x×])?(\d+)[x×](\d+)")
_FORMS = (
    "write HxW, NxHxW, or MIN:OPT:MAX of these, such as 270x480 or 1x90x160:1x270x480:4x540x960"
)

# TensorRT counts the elements of a tensor in 31 bits.
_MAX_ELEMENTS = 2**31 - 1


class FrameShape(NamedTuple):
    """A batch of `frames` frames of `height`×`width` pixels."""

    frames: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.frames}x{self.height}x{self.width}"

    def tensor(self) -> tuple[int, int, int, int]:
        """The shape of uint8 N×H×W×3 `frames`."""
        return (*self, 3)


@dataclass(frozen=True)
class ShapeProfile:
    """What an engine accepts: every size between `least` and `most`; it is tuned for `usual`."""

    least: FrameShape
    usual: FrameShape
    most: FrameShape

    def __post_init__(self) -> None:
        if min(self.least) < 1:
            raise ConfigError(f"shapes {self}: every number must be at least 1")
        for name, low, usual, high in zip(
            ("batch", "height", "width"), self.least, self.usual, self.most, strict=True
        ):
            if not low <= usual <= high:
                raise ConfigError(
                    f"shapes {self}: the {name} is {low} at least, {usual} usually and {high} at "
                    "most; they must not decrease"
                )

    def __str__(self) -> str:
        if self.is_fixed:
            return str(self.usual)
        return f"{self.least}:{self.usual}:{self.most}"

    @property
    def is_fixed(self) -> bool:
        """Whether it accepts one shape only."""
        return self.least == self.most

    def covers(self, shape: FrameShape) -> bool:
        """Whether frames of this shape can be run."""
        return all(
            low <= size <= high
            for low, size, high in zip(self.least, shape, self.most, strict=True)
        )

    def part(self, shape: FrameShape) -> int:
        """How many of the frames to run at a time, so that what remains can be run too; 0 if none.

        A batch may be larger than the engine takes at once; then it is run in parts.
        """
        if not self.covers(shape._replace(frames=self.least.frames)):
            return 0
        least = self.least.frames
        for count in range(min(shape.frames, self.most.frames), least - 1, -1):
            if shape.frames % count == 0 or shape.frames % count >= least:
                return count
        return 0

    def spread(self) -> int:
        """How many times larger the largest is than the smallest: 1 is fixed, less is faster."""
        area = self.most.frames * self.most.height * self.most.width
        return area // (self.least.frames * self.least.height * self.least.width)


def fixed(shape: FrameShape) -> ShapeProfile:
    """The profile of one shape."""
    return ShapeProfile(shape, shape, shape)


def parse_profile(text: str) -> ShapeProfile:
    """Read `HxW`, `NxHxW` or `MIN:OPT:MAX` of these; N is 1 where it is left out.

    Raises ConfigError naming what is wrong.
    """
    shapes = [_parse_shape(part, text) for part in text.split(":")]
    if len(shapes) == 1:
        return fixed(shapes[0])
    if len(shapes) != 3:
        raise ConfigError(f"shapes {text!r} has {len(shapes)} parts: {_FORMS}")
    return ShapeProfile(*shapes)


def check_profile(profile: ShapeProfile, spec: ModelSpec) -> None:
    """Raise ConfigError if the model cannot take all sizes of the profile."""
    axes = zip(("batch", "height", "width"), spec.frame_shape, strict=True)
    for (name, wanted), low, high in zip(axes, profile.least, profile.most, strict=True):
        if wanted is not None and (low, high) != (wanted, wanted):
            raise ConfigError(
                f"shapes {profile}: {spec.name} takes a {name} of {wanted} only; use that, or "
                "export the model with dynamic sizes"
            )
    multiple = spec.size_multiple
    for shape in (profile.least, profile.usual, profile.most):
        if shape.height % multiple or shape.width % multiple:
            raise ConfigError(
                f"shapes {profile}: {shape.height}x{shape.width} is not a multiple of {multiple}, "
                f"which {spec.name} needs"
            )
    if min(profile.least[1:]) < spec.minimum_side:
        raise ConfigError(
            f"shapes {profile}: {profile.least.height}x{profile.least.width} is less than "
            f"{spec.minimum_side} pixels a side, the least that {spec.name} takes"
        )
    count, height, width = profile.most
    if count * height * width * spec.scale**2 * 3 > _MAX_ELEMENTS:
        raise ConfigError(
            f"shapes {profile}: the output of {profile.most} has more than 2^31 values, which "
            "TensorRT cannot address; use smaller frames or tiles"
        )


def profile_for(shape: FrameShape, seen: frozenset[FrameShape], spec: ModelSpec) -> ShapeProfile:
    """The profile to build when frames of `shape` come and no engine takes them.

    The first size gets an engine of its own, which is the fastest. When the sizes change, one
    engine for all of them is built instead of one for each, with room for a little more.
    """
    if not seen or any(spec.frame_shape):
        return fixed(shape)
    every = [*seen, shape]
    least = FrameShape(1, *(_floor(min(s[axis] for s in every), spec) for axis in (1, 2)))
    most = FrameShape(
        max(s.frames for s in every),
        *(_ceil(max(s[axis] for s in every), spec) for axis in (1, 2)),
    )
    return ShapeProfile(least, shape, most)


def _floor(side: int, spec: ModelSpec) -> int:
    """At most half of `side`, if the model takes so little, and a multiple that it takes."""
    least = -(-spec.minimum_side // spec.size_multiple)
    return max(least, side // 2 // spec.size_multiple) * spec.size_multiple


def _ceil(side: int, spec: ModelSpec) -> int:
    """`side` and a quarter, up to a multiple that the model takes."""
    return -(-side * 5 // 4 // spec.size_multiple) * spec.size_multiple


def _parse_shape(part: str, text: str) -> FrameShape:
    match = _SHAPE.fullmatch(part.strip())
    if match is None:
        raise ConfigError(f"shapes {text!r}: {part!r} is not a size; {_FORMS}")
    count, height, width = match.groups()
    return FrameShape(int(count or 1), int(height), int(width))
