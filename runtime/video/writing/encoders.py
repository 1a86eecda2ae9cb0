"""The encoders by name, with defaults that need no thought."""

from __future__ import annotations

import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import av.codec

from ....common.errors import ConfigError, MissingDependencyError, OutputError
from ...gpu.cuda_gate import GATE

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
_AV1_PRESETS = tuple(str(number) for number in range(14))
_PRORES_PRESETS = ("proxy", "lt", "standard", "hq", "4444")
_NVENC_PRESETS = tuple(f"p{number}" for number in range(1, 8))
_QUICKTIME = (".mp4", ".m4v", ".mov")
_MOST = (*_QUICKTIME, ".mkv")
_TRIAL_SECONDS = 30.0


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
    worst_crf: int = 51
    crf_option: str = "crf"
    preset_option: str = "preset"
    is_lossless: bool = False
    is_hardware: bool = False


# Apple's players know HEVC under this name only.
_APPLE_HEVC = "hvc1"

ENCODERS = {
    # Inference on the CPU shares the processors with the encoder. Three clips at 1920×1080, CPU ms
    # and kB a frame, dB against what was encoded: medium at 18 takes 122, 30 and 44.6; this 51, 30
    # and 44.0; superfast at 18 takes 29, 41 and 44.4.
    "h264": Encoder("libx264", "yuv420p", _MOST, 17, "veryfast", _X26X_PRESETS),
    "hevc": Encoder(
        "libx265",
        "yuv420p",
        _MOST,
        20,
        "medium",
        _X26X_PRESETS,
        options=(("x265-params", "log-level=error"),),
        quicktime_tag=_APPLE_HEVC,
    ),
    "av1": Encoder("libsvtav1", "yuv420p", (".mp4", ".mkv"), 28, "8", _AV1_PRESETS, worst_crf=63),
    "prores": Encoder(
        "prores_ks",
        "yuv422p10le",
        (".mov", ".mkv"),
        default_preset="hq",
        presets=_PRORES_PRESETS,
        options=(("vendor", "apl0"),),
        preset_option="profile",
    ),
    # RGB, so that the frames are kept bit for bit.
    "ffv1": Encoder("ffv1", "bgr0", (".mkv",), is_lossless=True),
    **{
        f"{codec}-nvenc": Encoder(
            f"{codec}_nvenc",
            "yuv420p",
            (".mp4", ".mkv") if codec == "av1" else _MOST,
            default_crf=crf,
            default_preset="p5",
            presets=_NVENC_PRESETS,
            options=(("rc", "vbr"), ("b", "0")),
            quicktime_tag=_APPLE_HEVC if codec == "hevc" else None,
            crf_option="cq",
            is_hardware=True,
        )
        for codec, crf in (("h264", 19), ("hevc", 22), ("av1", 28))
    },
}


@dataclass(frozen=True)
class EncoderOptions:
    """What the user asked for. `None` takes the encoder's default.

    Raises:
        ConfigError: an unknown codec or preset, a CRF outside the codec's range, or either for a
            codec that has none.
    """

    codec: str = "h264"
    crf: int | None = None
    preset: str | None = None

    def __post_init__(self) -> None:
        if self.codec not in ENCODERS:
            raise ConfigError(f"unknown codec {self.codec!r}; known are {', '.join(ENCODERS)}")
        encoder = self.encoder
        if self.crf is not None and encoder.default_crf is None:
            reason = "is lossless" if encoder.is_lossless else "has a quality by preset only"
            raise ConfigError(f"{self.codec} {reason}: a CRF means nothing to it; leave it out")
        if self.crf is not None and not 0 <= self.crf <= encoder.worst_crf:
            raise ConfigError(f"CRF {self.crf} is outside 0 (best) to {encoder.worst_crf} (worst)")
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
            options[encoder.crf_option] = str(crf)
        if preset is not None:
            options[encoder.preset_option] = preset
        return options

    def in_use(self) -> AbstractContextManager[None]:
        """Around everything that encodes: a GPU's encoder calls CUDA whenever it likes."""
        return (
            GATE.using_all_the_time("NVENC encodes") if self.encoder.is_hardware else nullcontext()
        )

    def check_suffix(self, target: Path) -> None:
        """Raise `OutputError` unless the container that `target` names can hold this codec."""
        if target.suffix.lower() not in self.encoder.suffixes:
            raise OutputError(
                f"{target}: {self.codec} video cannot be written to {target.suffix or 'no suffix'}"
                f"; use {', '.join(self.encoder.suffixes)}"
            )

    def check_available(self) -> None:
        """Raise `MissingDependencyError` when the encoder is not built in or its device is missing.

        A hardware encoder is tried once in a child process, which a broken driver may end.
        """
        try:
            av.codec.Codec(self.encoder.library, "w")
        except av.codec.codec.UnknownCodecError as error:
            raise MissingDependencyError(
                f"the installed PyAV has no {self.codec} encoder ({self.encoder.library}): run "
                "`pip install --force-reinstall --only-binary :all: av`"
            ) from error
        if self.encoder.is_hardware and not hardware_works(self.encoder.library):
            software = self.codec.removesuffix("-nvenc")
            raise MissingDependencyError(
                f"{self.codec} needs an NVIDIA GPU with this encoder and its driver, which cannot "
                f"be used here: use --codec {software}"
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
