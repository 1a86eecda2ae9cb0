"""What travels through the pipeline: a frame with its exact time, and the facts of a clip."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from numpy.typing import NDArray

from .colour_tags import Colour
from .hdr import HdrMetadata
from .pixel_format import PixelFormat, named_format

Image = NDArray[Any]
"""uint8, or uint16 over its full range for pictures of more than 8 bits."""


@dataclass(slots=True)
class Frame:
    """One picture. Its pixels may be a buffer that is reused once the frame was given back."""

    bgr: Image
    """uint8 or uint16 H×W×3, BGR, C-contiguous."""
    pts: int
    """Presentation time in units of `time_base`."""
    time_base: Fraction
    """Seconds per unit."""
    duration: int
    """How long the frame is shown, in units of `time_base`; 0 when unknown."""
    age_seconds: float = 0.0
    """How old it was when it was decoded, by its own clock against that of the quickest frame of
    a live source; 0 for files."""
    alpha: Image | None = None
    """Transparency, H×W of the same type, of a clip whose alpha is kept."""
    hdr10_plus: bytes | None = None
    """HDR10+ metadata of this frame, as a message of ITU-T T.35."""
    is_context: bool = False
    """Whether it is not written: models of several frames look at it, before the first that is."""

    @property
    def pts_seconds(self) -> Fraction:
        """The presentation time, exact."""
        return self.pts * self.time_base


@dataclass(frozen=True)
class ClipFacts:
    """What a sink must know of a source to keep everything but the size as it was."""

    width_px: int
    height_px: int
    time_base: Fraction
    average_rate: Fraction | None
    """Frames per second as the container states it; `None` when it does not."""
    sample_aspect_ratio: Fraction
    """Width of a pixel divided by its height."""
    colour: Colour
    """The colour description of the decoded pictures, with every guess already made."""
    pixel_format: PixelFormat = field(default_factory=lambda: named_format("yuv420p"))
    """What the decoded pictures are stored as."""
    hdr: HdrMetadata = field(default_factory=HdrMetadata)
    display_matrix: tuple[int, ...] | None = None
    """Nine fixed-point numbers that rotate or mirror the picture for display; `None`: upright."""
    frame_count_estimate: int | None = None
    """Number of frames as far as the headers show, for progress only."""
    metadata: dict[str, str] = field(default_factory=dict)
    stream_metadata: dict[str, str] = field(default_factory=dict)
