"""Which frames of a clip are read, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from ..clip.span import Span
from .deinterlace import Deinterlace


@dataclass(frozen=True)
class ReadOptions:
    """How `FileSource` reads a clip."""

    span: Span = field(default_factory=Span)
    """The part to read; its first frame gets time 0."""
    after_pts: int | None = None
    """Leave out frames up to this time, without converting them. The times are those that frames
    get."""
    context: int = 0
    """Of the frames up to `after_pts`, keep this many of the last ones."""
    seek_to: Fraction | None = None
    """Start at a key frame before this time, in seconds, where that is safe. Frames keep their
    times."""
    deinterlace: Deinterlace = Deinterlace.FRAME
    assume_transfer: str | None = None
    """See `complete_colour`."""
