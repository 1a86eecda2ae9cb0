"""Random settings of real encoders."""

from __future__ import annotations

import numpy as np
from av.video.reformatter import Colorspace

from ....imaging.coding import Coding, Encoder
from .config import EncoderConfig

FULL_RANGE_SHARE = 0.15
MATRICES = (Colorspace.ITU601, Colorspace.ITU709)


def draw_coding(rng: np.random.Generator, encoders: tuple[EncoderConfig, ...]) -> Coding:
    """Random settings: encoder by weight, quality, preset, tune, key-frame distance, B-frames."""
    weights = np.array([each.weight for each in encoders])
    chosen = encoders[int(rng.choice(len(encoders), p=weights / weights.sum()))]
    quality = round(float(rng.uniform(*chosen.quality)), 1)
    return Coding(
        chosen.name,
        quality if chosen.name in ("x264", "x265") else float(round(quality)),
        _options(rng, chosen.name),
        MATRICES[int(rng.integers(2))],
        chosen.name != "mpeg2" and bool(rng.random() < FULL_RANGE_SHARE),
    )


def _options(rng: np.random.Generator, encoder: Encoder) -> dict[str, str]:
    def one(*values: str) -> str:
        return values[int(rng.integers(len(values)))]

    gop = one("12", "24", "48", "250")
    match encoder:
        case "x264":
            options = {
                "preset": one("superfast", "veryfast", "faster", "fast", "medium", "slow"),
                "g": gop,
                "bf": one("0", "2", "3", "3"),
            }
            if tune := one("", "", "", "film", "animation", "grain", "fastdecode"):
                options["tune"] = tune
            return options
        case "x265":
            options = {"preset": one("superfast", "veryfast", "fast", "medium"), "g": gop}
            if tune := one("", "", "", "grain", "animation", "psnr"):
                options["tune"] = tune
            return options
        case "vp9":
            return {
                "deadline": one("good", "good", "realtime"),
                "cpu-used": one("4", "5", "6", "8"),
                "g": gop,
                "lag-in-frames": one("0", "12", "25"),
            }
        case "av1":
            return {"preset": one("8", "10", "12"), "g": gop}
        case "mpeg4" | "mpeg2":
            return {"g": one("12", "15", "50"), "bf": one("0", "1", "2"), "mbd": one("0", "2")}
