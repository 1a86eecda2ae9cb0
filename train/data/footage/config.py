"""Settings of the "codec" degradation: which sequences are made, and which encoders code them."""

from __future__ import annotations

import msgspec

from ....imaging.coding import QUALITY_LIMITS, Encoder

Range = tuple[float, float]


class EncoderConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One encoder, how often it is drawn and how coarsely it codes."""

    name: Encoder
    weight: float  # relative to the other encoders
    quality: Range  # crf of x264, x265, VP9 and AV1, quantiser of MPEG-4 and MPEG-2

    def __post_init__(self) -> None:
        least, most = QUALITY_LIMITS[self.name]
        low, high = self.quality
        if not least <= low <= high <= most:
            raise ValueError(
                f"quality of {self.name} must be [low, high] within {least} and {most}, "
                f"not [{low:g}, {high:g}]"
            )
        if not 0 < self.weight < 1e6:
            raise ValueError(f"weight of {self.name} must be above 0, not {self.weight}")


ENCODERS = (
    EncoderConfig("x264", 0.35, (16, 34)),
    EncoderConfig("x265", 0.18, (18, 36)),
    EncoderConfig("vp9", 0.16, (22, 50)),
    EncoderConfig("av1", 0.09, (24, 54)),
    EncoderConfig("mpeg4", 0.15, (2, 12)),
    EncoderConfig("mpeg2", 0.07, (2, 12)),
)
"""Everyday encoders from nearly transparent to plainly visible loss."""


class CodecConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the "codec" degradation makes training pairs.

    Frames are made once and kept in `cache`; a run whose settings, scale and files are those of an
    earlier one uses its frames.
    """

    cache: str = ""  # folder; empty: Framelift's cache folder of this user
    sequences: int = 1000
    frames: int = 32  # of each sequence that is coded
    kept: int = 6  # of those, drawn at random
    size: tuple[int, int] = (512, 448)  # width and height of the high-resolution frames, pixels
    clean: float = 0.25  # share of training crops whose input is only reduced
    clips: float = 0.1  # share cut from the videos among the training files, if there are any
    blur: float = 0.25  # share blurred before coding
    blur_sigma: Range = (0.2, 0.6)  # low-resolution pixels
    noise: float = 0.25  # share with sensor noise before coding
    noise_sigma: Range = (0.5, 3.0)  # 8-bit codes
    grey: float = 0.04  # share without colour
    encoders: tuple[EncoderConfig, ...] = ENCODERS

    def __post_init__(self) -> None:
        if not self.encoders:
            raise ValueError("encoders must name at least one encoder")
        if not 1 <= self.kept <= self.frames:
            raise ValueError(f"kept must be within 1 and frames ({self.frames}), not {self.kept}")
        if self.sequences < 1:
            raise ValueError(f"sequences must be at least 1, not {self.sequences}")
        for name in ("clean", "clips", "blur", "noise", "grey"):
            if not 0 <= (share := getattr(self, name)) <= 1:
                raise ValueError(f"{name} is a share: within 0 and 1, not {share}")
        for name, most in (("blur_sigma", 4.0), ("noise_sigma", 64.0)):
            low, high = getattr(self, name)
            if not 0 <= low <= high <= most:
                raise ValueError(f"{name} must be [low, high] within 0 and {most:g}")
