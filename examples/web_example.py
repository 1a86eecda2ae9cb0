"""Makes the two pictures that `framelift web` shows first: `python examples/web_example.py`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from framelift.imaging.resize import imresize
from framelift.runtime import Upscaler

ROOT = Path(__file__).parents[1]
MODEL = "realtime-medium-x4"
FACE = np.s_[100:676, 180:948]


def main() -> None:
    """Write web/public/example.webp, a quarter of a photograph, and what the model makes of it."""
    photograph = cv2.imread(str(ROOT / "examples/raccoon.jpg"))
    assert photograph is not None
    small = ROOT / "web/public/example.webp"
    quarter = np.ascontiguousarray(imresize(photograph[FACE].astype(np.uint8), 0.25))
    cv2.imwrite(str(small), quarter, [cv2.IMWRITE_WEBP_QUALITY, 95])
    shown = cv2.imread(str(small))
    assert shown is not None
    with Upscaler.load(MODEL, "onnx-cpu") as upscale:
        large = upscale(shown.astype(np.uint8))
    quality = [cv2.IMWRITE_WEBP_QUALITY, 75]
    cv2.imwrite(str(ROOT / "web/public/example-x4.webp"), large, quality)


if __name__ == "__main__":
    main()
