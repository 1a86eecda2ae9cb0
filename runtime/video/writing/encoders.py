"""The user's options of the encoder, and those for one clip that follow from them."""

from __future__ import annotations

import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from ....common.errors import ConfigError, MissingDependencyError, OutputError
from ...gpu.cuda_gate import GATE
from ..clip.pixel_format import PixelFormat, named_format
from .codecs import ENCODERS, Encoder

_TRIAL_SECONDS = 30.0

AUTO = "auto"
AUTO_8_BITS, AUTO_DEEP = "h264", "hevc"
"""What "auto" is for 8 bits and for more."""
_AUTO_OF_SUFFIX = {".webm": "av1"}
"""What "auto" is in containers that hold neither."""
_AUTO_WITH_ALPHA = "vp9"
"""What it is there for clips with alpha."""
SAME = "same"
RAW_FORMATS = ("bgr24", "rgb24", "bgr48le", "rgb48le")
"""Pixel formats of frames without a header, on standard output."""


@dataclass(frozen=True)
class EncoderOptions:
    """What the user asked for. `None` takes the encoder's default.

    `choose` makes of it, for one clip, options with a codec and a pixel format of their own.

    Raises:
        ConfigError: an unknown codec or preset, a CRF outside the codec's range, or either for a
            codec that has none, or a pixel format that the codec does not have.
    """

    codec: str = AUTO
    """One of `ENCODERS`, or "auto": h264, and hevc for more than 8 bits; av1 in .webm."""
    crf: int | None = None
    preset: str | None = None
    pixel_format: str | None = None
    """A pixel format of FFmpeg, or "same" for that of the source. `None` is "same" as far as
    players of the container know it, and RGB for ffv1."""

    def __post_init__(self) -> None:
        if self.codec not in (AUTO, *ENCODERS):
            raise ConfigError(f"unknown codec {self.codec!r}; known are {', '.join(ENCODERS)}")
        encoder = self.encoder
        self._check_pixel_format()
        if self.crf is not None and encoder.default_crf is None:
            reason = "is lossless" if encoder.is_lossless else "has a quality by preset only"
            raise ConfigError(f"{self.codec_name} {reason}: leave the CRF out")
        if self.crf is not None and not 0 <= self.crf <= encoder.worst_crf:
            raise ConfigError(f"CRF {self.crf} is outside 0 (best) to {encoder.worst_crf} (worst)")
        if self.preset is not None and self.preset not in encoder.presets:
            known = ", ".join(encoder.presets) or "none"
            raise ConfigError(
                f"{self.codec_name} has no preset {self.preset!r}; known are: {known}"
            )

    @property
    def encoder(self) -> Encoder:
        """The encoder of that name; of "auto" the one for 8 bits."""
        return ENCODERS[self.codec_name]

    @property
    def codec_name(self) -> str:
        """The codec; of "auto" the one for 8 bits."""
        return AUTO_8_BITS if self.codec == AUTO else self.codec

    @property
    def stored_format(self) -> PixelFormat:
        """What frames are stored as, of options that `choose` made."""
        named = self.pixel_format not in (None, SAME)
        return named_format(str(self.pixel_format) if named else self.encoder.pixel_format)

    def _check_pixel_format(self) -> None:
        name = self.pixel_format
        if name is None or name == SAME:
            return
        if name in RAW_FORMATS and self.codec == AUTO:
            return
        codecs = (AUTO_8_BITS, AUTO_DEEP) if self.codec == AUTO else (self.codec,)
        known = dict.fromkeys(name for codec in codecs for name in ENCODERS[codec].formats)
        if name not in known:
            which = "h264 and hevc have" if self.codec == AUTO else f"{self.codec} has"
            raise ConfigError(
                f"{which} no pixel format {name!r}; known are {SAME}, {', '.join(known)}"
            )

    def library_options(self) -> dict[str, str]:
        """The options in FFmpeg's words."""
        encoder = self.encoder
        crf = encoder.default_crf if self.crf is None else self.crf
        preset = self.preset or encoder.default_preset
        options = dict(encoder.options)
        if crf is not None:
            options[encoder.crf_option] = str(crf)
        if preset is not None:
            options[encoder.preset_option] = preset
        return options

    def in_use(self) -> AbstractContextManager[None]:
        """Around everything that encodes: a GPU's encoder calls CUDA whenever it likes."""
        return (
            GATE.using_all_the_time("NVENC encodes") if self.encoder.is_hardware else nullcontext()
        )

    def for_target(self, target: Path, *, has_alpha: bool = False) -> EncoderOptions:
        """The options with the codec that "auto" is in the container that `target` names, for a
        clip with alpha one that keeps it.
        """
        codec = _AUTO_OF_SUFFIX.get(target.suffix.lower())
        if codec is None or self.codec != AUTO:
            return self
        keeps = has_alpha and self.pixel_format in (None, SAME)
        return replace(self, codec=_AUTO_WITH_ALPHA if keeps else codec)

    def check_suffix(self, target: Path) -> None:
        """Raise `OutputError` unless the container that `target` names can hold this codec."""
        if target.suffix.lower() not in self.for_target(target).encoder.suffixes:
            known = (*self.encoder.suffixes, *(_AUTO_OF_SUFFIX if self.codec == AUTO else ()))
            raise OutputError(
                f"{target}: {self.codec_name} video cannot be written to "
                f"{target.suffix or 'no suffix'}; use {', '.join(known)}"
            )

    def check_size(self, target: Path | str, width_px: int, height_px: int) -> None:
        """Raise `OutputError` for pictures that are too small for the encoder."""
        least = self.encoder.least_side_px
        if min(width_px, height_px) < least:
            raise OutputError(
                f"{target}: {self.codec_name} cannot encode {width_px}×{height_px}, each side must "
                f"have {least} pixels; name another --codec or a larger size"
            )

    def check_available(self) -> None:
        """Raise `MissingDependencyError` when the encoder is not built in or its device is missing.

        A hardware encoder is tried once in a child process, which a broken driver may end.
        """
        import av.codec

        try:
            av.codec.Codec(self.encoder.library, "w")
        except av.codec.codec.UnknownCodecError as error:
            raise MissingDependencyError(
                f"the installed PyAV has no {self.codec_name} encoder ({self.encoder.library}): "
                "run `pip install --force-reinstall --only-binary :all: av`"
            ) from error
        if self.encoder.is_hardware and not hardware_works(self.encoder.library):
            software = self.codec_name.removesuffix("-nvenc")
            raise MissingDependencyError(
                f"{self.codec_name} needs an NVIDIA GPU with this encoder and its driver, which "
                f"cannot be used here: use --codec {software}"
            )


@cache
def hardware_works(library: str) -> bool:
    """Whether a child process could encode a frame with the encoder of that name."""
    code = (
        "import av, fractions; c = av.CodecContext.create({!r}, 'w'); "
        "c.width = c.height = 256; c.pix_fmt = 'yuv420p'; c.time_base = fractions.Fraction(1, 25); "
        "f = av.VideoFrame(256, 256, 'yuv420p'); f.pts = 0; c.encode(f); c.encode(None)"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", code.format(library)],
            capture_output=True,
            timeout=_TRIAL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
