"""Images about which their libraries write to the terminal."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np


def picture(suffix: str) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    return cv2.imencode(suffix, cv2.GaussianBlur(noise, (0, 0), 2))[1].tobytes()


def odd_profile() -> bytes:
    """A PNG whose colour profile is none, of which libpng tells."""
    data = b"iCCP" + b"sRGB\0\0" + zlib.compress(bytes(200))
    chunk = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    png = picture(".png")
    return png[:33] + chunk + png[33:]


def restart_marks() -> bytes:
    """A JPEG with marks in its data, in place of pixels."""
    jpeg = bytearray(picture(".jpg"))
    middle = len(jpeg) // 2
    jpeg[middle : middle + 20] = b"\xff\xd3" * 10
    return bytes(jpeg)
