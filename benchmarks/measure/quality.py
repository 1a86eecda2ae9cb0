"""PSNR and SSIM of a model and of bicubic on a folder of originals, by the standard protocol."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ...common.errors import InputError, MissingDependencyError
from ...common.native_output import native_output_caught
from ...common.opencv import load_cv2
from ...imaging.histogram import match_histogram
from ...imaging.quality import (
    ImageU8,
    Upscale,
    as_bgr,
    bicubic,
    compare,
    crop_to_multiple,
    shrink,
)
from ...runtime import Upscaler
from ..machine.facts import describe_machine
from ..report.checks import int8_warnings, require_super_resolution
from ..report.model import Document, build

Distance = Callable[[ImageU8, ImageU8, int], float]
Scores = dict[str, float]

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
        with native_output_caught():
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
    vgg: str | None = None,
    matching: bool = False,
    known: dict[tuple[object, ...], Scores] | None = None,
    device: int | None = None,
) -> Document:
    """Score a model and bicubic on every image of `folder` and return the report.

    `progress` is called with (done, total) after each image. With `vgg`, weights as
    `framelift train --vgg` takes them, the distance of relu2_2 features is measured, too; that
    needs PyTorch. With `matching` the histogram of each output is matched to that of its input
    before scoring, the post-processing of Johnson et al. 2016, section 4.2. `known` keeps what
    bicubic scored, for calls with other models of the same scale. Raises InputError, ConfigError
    for a model that is not for super-resolution, ModelError, BackendError, CheckpointError,
    MissingDependencyError.
    """
    paths = originals(folder)
    machine = describe_machine()
    distance = None if vgg is None else feature_distance(vgg)
    scores: list[dict[str, Scores]] = []
    known = {} if known is None else known
    with Upscaler.load(model, backend=backend, threads=threads, device=device) as upscaler:
        require_super_resolution(upscaler.spec, "a comparison with originals")
        scale = upscaler.scale
        for path in paths:
            image = _scorable(path, scale)
            key = (path.resolve(), scale, vgg, matching)
            if key not in known:
                plain = bicubic(scale)
                known[key] = _score(path.stem, image, plain, scale, distance, matching)
            ours = _score(path.stem, image, upscaler, scale, distance, matching)
            scores.append({"model": ours, "bicubic": known[key]})
            if progress is not None:
                progress(len(scores), len(paths))
        rows = [{"name": path.stem, **pair} for path, pair in zip(paths, scores, strict=True)]
        mean = {side: _mean([pair[side] for pair in scores]) for side in ("model", "bicubic")}
        settings: dict[str, str | int] = {
            "images": folder.resolve().name,
            "count": len(paths),
            "backend": backend,
        }
        if matching:
            settings["post-processing"] = "histogram matching"
        results = {"images": rows, "mean": mean}
        warnings = int8_warnings(machine, {upscaler.spec.name: upscaler.describe()})
        return build("quality", machine, upscaler, settings, results, warnings)


def _score(
    name: str,
    original: ImageU8,
    upscale: Upscale,
    scale: int,
    distance: Distance | None,
    matching: bool,
) -> dict[str, float]:
    small = as_bgr(shrink(original, scale))
    upscaled = upscale(small)
    if matching:
        upscaled = match_histogram(upscaled, small)
    quality = compare(name, upscaled, original, scale)
    scores = {"psnr_db": quality.psnr_db, "ssim": quality.ssim}
    if distance is not None:
        reference = as_bgr(crop_to_multiple(original, scale))
        scores["feature_distance"] = distance(upscaled, reference, scale)
    return scores


def _mean(scores: list[dict[str, float]]) -> dict[str, float]:
    return {key: math.fsum(score[key] for score in scores) / len(scores) for key in scores[0]}


def feature_distance(vgg: str) -> Distance:
    """The distance of relu2_2 features, with weights as `framelift train --vgg` takes them.

    Raises CheckpointError, MissingDependencyError.
    """
    try:
        from ...train.validation.feature_distance import FeatureDistance
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"--vgg needs {error.name}: pip install 'framelift[train]'"
        ) from error
    return FeatureDistance(vgg)


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
