"""The encoders by name, with defaults that need no thought."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import av.codec

from ...imaging.errors import ConfigError, MissingDependencyError, OutputError

_X26X_PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
)
_QUICKTIME = (".mp4", ".m4v", ".mov")


@dataclass(frozen=True)
class Encoder:
    """One way to encode: FFmpeg's name for it, its pixel format and what may be set."""

    library: str
    pixel_format: str
    suffixes: tuple[str, ...]
    default_crf: int | None = None
    default_preset: str | None = None
    presets: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    quicktime_tag: str | None = None


ENCODERS = {
    "h264": Encoder("libx264", "yuv420p", (*_QUICKTIME, ".mkv"), 18, "medium", _X26X_PRESETS),
    "hevc": Encoder(
        "libx265",
        "yuv420p",
        (*_QUICKTIME, ".mkv"),
        20,
        "medium",
        _X26X_PRESETS,
        options=(("x265-params", "log-level=error"),),
        quicktime_tag="hvc1",  # Apple's players know HEVC under this name only
    ),
    # RGB, so that the frames are kept bit for bit.
    "ffv1": Encoder("ffv1", "bgr0", (".mkv",)),
}


@dataclass(frozen=True)
class EncoderOptions:
    """What the user asked for. `None` takes the encoder's default.

    Raises:
        ConfigError: an unknown codec or preset, a CRF outside 0 to 51, or either for a codec
            that has none.
    """

    codec: str = "h264"
    crf: int | None = None
    preset: str | None = None

    def __post_init__(self) -> None:
        if self.codec not in ENCODERS:
            raise ConfigError(f"unknown codec {self.codec!r}; known are {', '.join(ENCODERS)}")
        encoder = self.encoder
        if self.crf is not None and encoder.default_crf is None:
            raise ConfigError(f"{self.codec} is lossless: a CRF means nothing to it; leave it out")
        if self.crf is not None and not 0 <= self.crf <= 51:
            raise ConfigError(f"CRF {self.crf} is outside 0 (lossless) to 51 (worst)")
        if self.preset is not None and self.preset not in encoder.presets:
            known = ", ".join(encoder.presets) or "none"
            raise ConfigError(f"{self.codec} has no preset {self.preset!r}; known are: {known}")

    @property
    def encoder(self) -> Encoder:
        """The encoder of that name."""
        return ENCODERS[self.codec]

    def library_options(self) -> dict[str, str]:
        """The options in FFmpeg's words."""
        encoder = self.encoder
        crf = encoder.default_crf if self.crf is None else self.crf
        preset = self.preset or encoder.default_preset
        options = dict(encoder.options)
        if crf is not None:
            options["crf"] = str(crf)
        if preset is not None:
            options["preset"] = preset
        return options

    def check_suffix(self, target: Path) -> None:
        """Raise `OutputError` unless the container that `target` names can hold this codec."""
        if target.suffix.lower() not in self.encoder.suffixes:
            raise OutputError(
                f"{target}: {self.codec} video cannot be written to {target.suffix or 'no suffix'}"
                f"; use {', '.join(self.encoder.suffixes)}"
            )

    def check_available(self) -> None:
        """Raise `MissingDependencyError` when this build of FFmpeg lacks the encoder."""
        try:
            av.codec.Codec(self.encoder.library, "w")
        except av.codec.codec.UnknownCodecError as error:
            raise MissingDependencyError(
                f"the installed PyAV has no {self.codec} encoder ({self.encoder.library}): run "
                "`pip install --force-reinstall --only-binary :all: av`"
            ) from error
