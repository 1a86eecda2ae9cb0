"""Pictures for a page: photographs shrunk, then enlarged by bicubic and by a model."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

from ..imaging.quality import ImageU8, bicubic, crop_to_multiple, shrink
from ..runtime import Upscaler
from ..runtime.opencv import load_cv2
from .machine import describe_machine
from .quality import as_bgr, read_original
from .report import Document, build

_MAX_WIDTH, _MAX_HEIGHT = 960, 540
_JPEG_QUALITY = 88


def make_pictures(
    model: str | Path, paths: Sequence[Path], backend: str = "auto", threads: int | None = None
) -> Document:
    """The middle of each photograph, at most 960×540, as data URIs `before` and `after`.

    Raises InputError, ModelError, BackendError, MissingDependencyError.
    """
    machine = describe_machine()
    with Upscaler.load(model, backend=backend, threads=threads) as upscaler:
        pictures = []
        for path in paths:
            original = crop_to_multiple(_middle(as_bgr(read_original(path))), upscaler.scale)
            small = shrink(original, upscaler.scale)
            height, width = original.shape[:2]
            pictures.append(
                {
                    "name": path.stem,
                    "width": width,
                    "height": height,
                    "before": data_uri(bicubic(upscaler.scale)(small)),
                    "after": data_uri(upscaler(small)),
                }
            )
        settings = {"files": [path.name for path in paths], "backend": backend}
        return build("pictures", machine, upscaler, settings, {"pictures": pictures}, [])


def data_uri(image: ImageU8) -> str:
    """A JPEG of a uint8 BGR image, with colour at full resolution, for an <img>."""
    cv2 = load_cv2()
    parameters = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    parameters += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    _, data = cv2.imencode(".jpg", image, parameters)
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def _middle(image: ImageU8) -> ImageU8:
    height, width = image.shape[:2]
    top, left = max(0, (height - _MAX_HEIGHT) // 2), max(0, (width - _MAX_WIDTH) // 2)
    return image[top : top + _MAX_HEIGHT, left : left + _MAX_WIDTH]
