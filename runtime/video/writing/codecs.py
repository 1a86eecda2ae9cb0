"""The encoders by name, and what each can store."""

from __future__ import annotations

from dataclasses import dataclass

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
        # Below, SVT-AV1 of PyAV 18.1 may wait for ever, and that of 19 ruin the memory.
        least_side_px=32,
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
