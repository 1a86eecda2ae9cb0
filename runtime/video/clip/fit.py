"""How large a result is: so many times its input, or so large that it fits into a size."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from ....common.errors import ConfigError

_SIZE = re.compile(r"(\d{1,5})\s*[x×X:]\s*(\d{1,5})")
LARGEST_PX = 65_535


@dataclass(frozen=True)
class Fit:
    """The largest size of the input's shape within a width and a height; `None`: any."""

    width_px: int | None = None
    height_px: int | None = None

    def factor(self, width_px: int, height_px: int) -> Fraction:
        """Output size over input size of an input of that size."""
        sides = ((self.width_px, width_px), (self.height_px, height_px))
        return min(Fraction(wanted, given) for wanted, given in sides if wanted is not None)

    def __str__(self) -> str:
        return f"{self.width_px or ''}x{self.height_px or ''}"


Scaling = Fraction | Fit
"""Output size over input size, or what the output fits into."""


def factor_of(scaling: Scaling, width_px: int, height_px: int) -> Fraction:
    """Output size over input size of an input of that size."""
    if isinstance(scaling, Fit):
        return scaling.factor(width_px, height_px)
    return scaling


def known_factor(scaling: Scaling | None) -> float | None:
    """The factor, where it does not depend on the input."""
    return float(scaling) if isinstance(scaling, Fraction) else None


def parse_scaling(
    scale: float | str | None, size: str | None, width: int | None, height: int | None
) -> Scaling | None:
    """What the options --scale, --size, --width and --height say; `None`: nothing.

    Raises:
        ConfigError: they contradict each other, or a size is none.
    """
    given = [scale is not None, size is not None, width is not None or height is not None]
    if sum(given) > 1:
        raise ConfigError("--scale, --size and --width or --height exclude each other; give one")
    if scale is not None:
        return Fraction(str(scale))
    if size is not None:
        match = _SIZE.fullmatch(size.strip())
        if match is None or not all(0 < int(side) <= LARGEST_PX for side in match.groups()):
            raise ConfigError(
                f"the size {size!r} is not a width and a height: write them as 1920x1080"
            )
        return Fit(int(match[1]), int(match[2]))
    if width is not None or height is not None:
        return Fit(width, height)
    return None
