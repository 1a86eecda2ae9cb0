"""The options of an import, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..common.errors import ConfigError
from ..export.parity.comparison import Parity
from ..export.parity.half_gate import Peak
from ..runtime.models.file import WHOLE_FRAME
from .inspection.convention import ORDERS, RANGES, Convention


@dataclass(frozen=True)
class ImportOptions:
    """What is not to be found out by trying. Raises ConfigError for what makes no sense.

    `span` is the range of the pixels, one of RANGES; `order` that of the channels, rgb or bgr;
    `window` how many frames a model of sequences of any length is to be given.
    """

    span: str | None = None
    order: str | None = None
    window: int | None = None
    task: str = "super-resolution"
    licence: str = ""
    overwrite: bool = False

    def __post_init__(self) -> None:
        for name, value, known in (
            ("range", self.span, RANGES),
            ("channel order", self.order, ORDERS),
        ):
            if value is not None and value not in known:
                raise ConfigError(f"unknown {name} {value!r}: use one of {', '.join(known)}")
        if self.window is not None and self.window < 2:
            raise ConfigError(f"window is {self.window}: sequences have 2 frames or more")


@dataclass(frozen=True)
class Imported:
    """A written model and what was found out about it."""

    path: Path
    scale: int
    convention: Convention
    order_assumed: bool
    halo: int
    size_multiple: int
    minimum_side: int
    window: int
    lookahead: int
    parity: list[Parity]
    peak: Peak | None = None
    activation_bytes: int | None = None

    def summary(self) -> str:
        """One line: what was found."""
        made = self.convention
        ranges = made.given.name
        if made.taken != made.given:
            ranges = f"{ranges} in, {made.taken.name} out"
        order = made.order.upper() + (" (assumed)" if self.order_assumed else "")
        colours = {1: "grey (luma)", 4: f"{order} and alpha"}
        parts = [f"×{self.scale}", colours.get(made.channels, order), ranges]
        if self.window > 1:
            parts.append(f"{self.window} frames, {self.lookahead} of them ahead")
        parts.append("whole frames" if self.halo >= WHOLE_FRAME else f"halo {self.halo} px")
        if self.size_multiple > 1:
            parts.append(f"sides in multiples of {self.size_multiple}")
        return ", ".join(parts)
