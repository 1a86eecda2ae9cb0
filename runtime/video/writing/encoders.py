"""The encoders by name, with defaults that need no thought."""

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
_VP9_PRESETS = tuple(str(number) for number in range(5, 9))
_AV1_PRESETS = tuple(str(number) for number in range(14))
_PRORES_PRESETS = ("proxy", "lt", "standard", "hq", "4444")
_NVENC_PRESETS = tuple(f"p{number}" for number in range(1, 8))
_QUICKTIME = (".mp4", ".m4v", ".mov")
_MOST = (*_QUICKTIME, ".mkv")
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
class Encoder:
    """One way to encode: FFmpeg's name for it, its pixel formats and what may be set."""

    library: str
    pixel_format: str
    """What 8-bit 4:2:0 video is stored as, if nothing else is asked for."""
    suffixes: tuple[str, ...]
    formats: tuple[str, ...]
    """Every pixel format that may be asked for."""
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
    least_side_px: int = 1


_YUV = ("yuv420p", "yuv422p", "yuv444p")
_X264_FORMATS = (*_YUV, *(f"{name}10le" for name in _YUV), "gray", "gray10le")
_X265_FORMATS = (*_X264_FORMATS, *(f"{name}12le" for name in _YUV), "gray12le")
_FFV1_BITS = (9, 10, 12, 14, 16)
_FFV1_FORMATS = (
    "bgr0",
    "bgra",
    *(f"gbrap{bits}le" for bits in (10, 12, 14, 16)),
    *(f"gbrp{bits}le" for bits in _FFV1_BITS),
    *_YUV,
    *(f"{name}{bits}le" for name in _YUV for bits in _FFV1_BITS),
    "gray",
    *(f"gray{bits}le" for bits in _FFV1_BITS),
)

# Apple's players know HEVC under this name only.
_APPLE_HEVC = "hvc1"

ENCODERS = {
    # Inference on the CPU shares the processors with the encoder. Three clips at 1920×1080, CPU ms
    # and kB a frame, dB against what was encoded: medium at 18 takes 122, 30 and 44.6; this 51, 30
    # and 44.0; superfast at 18 takes 29, 41 and 44.4.
    "h264": Encoder("libx264", "yuv420p", _MOST, _X264_FORMATS, 17, "veryfast", _X26X_PRESETS),
    "hevc": Encoder(
        "libx265",
        "yuv420p",
        _MOST,
        _X265_FORMATS,
        20,
        "medium",
        _X26X_PRESETS,
        options=(("x265-params", "log-level=error"),),
        quicktime_tag=_APPLE_HEVC,
        least_side_px=64,  # x265 4.1 writes beyond the memory of smaller pictures
    ),
    "av1": Encoder(
        "libsvtav1",
        "yuv420p",
        (".mp4", ".mkv", ".webm"),
        ("yuv420p", "yuv420p10le"),
        28,
        "8",
        _AV1_PRESETS,
        worst_crf=63,
    ),
    # Of players that do not know AV1. A clip at 960×540, CPU ms and kB a frame, dB: this takes 6.4,
    # 5.1 and 47.3; libvpx at "good" and 4 36, 4.2 and 47.0; av1 as above 10, 2.5 and 46.7.
    "vp9": Encoder(
        "libvpx-vp9",
        "yuv420p",
        (".webm", ".mkv", ".mp4"),
        (*_YUV, "yuva420p"),
        24,
        "6",
        _VP9_PRESETS,
        options=(("b", "0"), ("deadline", "realtime"), ("row-mt", "1")),
        worst_crf=63,
        preset_option="cpu-used",
    ),
    "prores": Encoder(
        "prores_ks",
        "yuv422p10le",
        (".mov", ".mkv"),
        ("yuv422p10le", "yuv444p10le", "yuva444p10le"),
        default_preset="hq",
        presets=_PRORES_PRESETS,
        options=(("vendor", "apl0"),),
        preset_option="profile",
    ),
    # RGB, so that the frames are kept bit for bit.
    "ffv1": Encoder("ffv1", "bgr0", (".mkv",), _FFV1_FORMATS, is_lossless=True),
    **{
        f"{codec}-nvenc": Encoder(
            f"{codec}_nvenc",
            "yuv420p",
            (".mp4", ".mkv", ".webm") if codec == "av1" else _MOST,
            ("yuv420p",) if codec == "h264" else ("yuv420p", "p010le"),
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
            raise ConfigError(
                f"{self.codec_name} {reason}: a CRF means nothing to it; leave it out"
            )
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
