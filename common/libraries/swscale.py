"""How libswscale converts between chroma and RGB of 8 bits, in the runtime and in training."""

from __future__ import annotations

from av.video.reformatter import Interpolation

# Chroma is interpolated to every pixel and rounded, not truncated: code values within 2 of the
# truth. The fast defaults are up to 4 off and let two pixels share their chroma.
TO_RGB = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
# Rounded instead of truncated; with it colour bars survive a round trip within 2 code values.
TO_YUV = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.FULL_CHR_H_INT
)
