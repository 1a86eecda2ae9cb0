"""Whether an image has transparent pixels, whose hidden colours are no photograph."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

HEAD_BYTES = 1 << 16
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"


def is_transparent(path: Path) -> bool:
    """Whether a readable image file has pixels that are not opaque.

    Only files whose header says that they may are decoded.
    """
    with path.open("rb") as file:
        if not _may_be_transparent(file.read(HEAD_BYTES)):
            return False
    try:
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return False
    if image is None or image.ndim != 3 or image.shape[2] not in (2, 4):
        return False
    opaque = {"uint8": 255, "uint16": 65535}.get(str(image.dtype), 1.0)
    return bool(image[..., -1].min() < opaque)


def _may_be_transparent(head: bytes) -> bool:
    if head.startswith(_PNG):
        # Colour types 4 and 6 have alpha; others have it in a chunk that precedes the pixels.
        return head[25:26] in (b"\x04", b"\x06") or b"tRNS" in head.split(b"IDAT")[0]
    return not head.startswith(_JPEG)
