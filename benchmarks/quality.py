"""PSNR and SSIM of a model and of bicubic on a folder of originals, by the standard protocol."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..imaging.errors import InputError
from ..imaging.quality import ImageQuality, ImageU8, SetQuality, bicubic, evaluate
from ..runtime import Upscaler
from ..runtime.opencv import load_cv2
from .machine import describe_machine
from .report import Document, build

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

# The window of SSIM must fit into what is left after cropping and shaving.
_SSIM_WINDOW = 11


def originals(folder: Path) -> list[Path]:
    """The images in a folder, in order of name. Raises InputError when there are none."""
    if not folder.is_dir():
        raise InputError(f"{folder}: is not a folder; name the folder of original images")
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from error
    if not paths:
        known = ", ".join(sorted(SUFFIXES))
        raise InputError(f"{folder}: holds no images ({known})")
    return paths


def read_original(path: Path) -> ImageU8:
    """Read an 8-bit image: BGR H×W×3, or H×W when it is stored as grey; alpha is dropped.

    Raises InputError when it cannot be decoded or has more than 8 bits per channel.
    """
    cv2 = load_cv2()
    try:
        data = np.fromfile(path, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except cv2.error:
        image = None
    if image is None:
        raise InputError(f"{path}: is not an image that can be decoded, or it is damaged")
    if image.dtype != np.uint8:
        raise InputError(f"{path}: has {image.dtype} samples; the protocol is for 8-bit images")
    if image.ndim == 3 and image.shape[2] in (1, 2):
        image = image[:, :, 0]
    result: ImageU8 = image if image.ndim == 2 else np.ascontiguousarray(image[:, :, :3])
    return result


def measure_quality(
    model: str | Path,
    folder: Path,
    backend: str = "auto",
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Document:
    """Score a model and bicubic on every image of `folder` and return the report.

    `progress` is called with (done, total) after each image. Raises InputError, ModelError,
    BackendError, MissingDependencyError.
    """
    paths = originals(folder)
    machine = describe_machine()
    rows: list[tuple[ImageQuality, ImageQuality]] = []
    with Upscaler.load(model, backend=backend, threads=threads) as upscaler:
        for path in paths:
            image = _scorable(path, upscaler.scale)
            scores = [
                evaluate([(path.stem, image)], upscale, upscaler.scale).images[0]
                for upscale in (upscaler, bicubic(upscaler.scale))
            ]
            rows.append((scores[0], scores[1]))
            if progress is not None:
                progress(len(rows), len(paths))
        means = [SetQuality(upscaler.scale, column) for column in zip(*rows, strict=True)]
        results = {
            "images": [{"name": ours.name, **_row(ours, base)} for ours, base in rows],
            "mean": _row(means[0], means[1]),
        }
        settings = {"images": folder.resolve().name, "count": len(paths), "backend": backend}
        return build("quality", machine, upscaler, settings, results, [])


def _scorable(path: Path, scale: int) -> ImageU8:
    image = read_original(path)
    least = 2 * scale + _SSIM_WINDOW
    if min(side - side % scale for side in image.shape[:2]) < least:
        height, width = image.shape[:2]
        raise InputError(
            f"{path}: is {width}×{height}, too small to score at ×{scale}; "
            f"originals need at least {least + scale}×{least + scale} pixels"
        )
    return image


def _row(ours: ImageQuality | SetQuality, base: ImageQuality | SetQuality) -> dict[str, Any]:
    return {
        "model": {"psnr_db": ours.psnr_db, "ssim": ours.ssim},
        "bicubic": {"psnr_db": base.psnr_db, "ssim": base.ssim},
    }
