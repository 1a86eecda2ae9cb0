"""PSNR and SSIM of a model and of bicubic on a folder of originals, by the standard protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from ...common.errors import InputError
from ...common.images import IMAGE_SUFFIXES, read_image
from ...common.libraries.needed import needed_for
from ...common.notes import silent
from ...imaging.quality import Distance, ImageU8, Trial, bicubic, trials
from ..machine.facts import describe_machine
from ..report.checks import int8_warnings, require_super_resolution
from ..report.documents import Quality
from ..report.model import new_document
from ..report.quality_results import NamedPair, Pair, QualityResults, Scores
from ..shared.settings import ANYWHERE, Placement

# The window of SSIM must fit into what is left after cropping and shaving.
_SSIM_WINDOW = 11


def originals(folder: Path) -> list[Path]:
    """The images in a folder, in order of name. Raises InputError when there are none."""
    if not folder.is_dir():
        raise InputError(f"{folder}: is not a folder; name the folder of original images")
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from error
    if not paths:
        known = ", ".join(IMAGE_SUFFIXES)
        raise InputError(f"{folder}: contains no images ({known})")
    return paths


def read_original(path: Path) -> ImageU8:
    """Read an 8-bit image: BGR H×W×3, or H×W when it is stored as grey; alpha is dropped.

    Raises InputError when it cannot be decoded or has more than 8 bits per channel.
    """
    try:
        picture = read_image(path, say=silent)
    except InputError as error:
        raise InputError(
            f"{path}: is not an image that can be decoded, or it is damaged"
        ) from error
    if picture.depth > 8:
        raise InputError(f"{path}: has uint16 samples; the protocol is for 8-bit images")
    return np.ascontiguousarray(picture.bgr[..., 0]) if picture.is_grey else picture.bgr


def measure_quality(
    model: str | Path,
    folder: Path,
    placement: Placement = ANYWHERE,
    progress: Callable[[int, int], None] | None = None,
    vgg: str | None = None,
    matching: bool = False,
    known: dict[tuple[object, ...], Scores] | None = None,
) -> Quality:
    """Score a model and bicubic on every image of `folder` and return the report.

    `progress` is called with (done, total) after each image. With `vgg`, weights as
    `framelift train --vgg` takes them, the distance of relu2_2 features is measured, too; that
    needs PyTorch. `matching` is that of `imaging.quality.trials`. `known` keeps what
    bicubic scored, for calls with other models of the same scale. Raises InputError, ConfigError
    for a model that is not for super-resolution, ModelError, BackendError, CheckpointError,
    MissingDependencyError.
    """
    paths = originals(folder)
    machine = describe_machine()
    distance = None if vgg is None else feature_distance(vgg)
    images: list[NamedPair] = []
    known = {} if known is None else known
    with placement.load(model) as upscaler:
        require_super_resolution(upscaler.spec, "a comparison with originals")
        scale = upscaler.scale
        named = ((path.stem, _scorable(path, scale)) for path in paths)
        tried = trials(named, upscaler, scale, matching=matching)
        for path, trial in zip(paths, tried, strict=True):
            key = (path.resolve(), scale, vgg, matching)
            if key not in known:
                one = [(trial.name, trial.original)]
                (plain,) = trials(one, bicubic(scale), scale, matching=matching)
                known[key] = _scores(plain, distance)
            images.append(NamedPair(_scores(trial, distance), known[key], trial.name))
            if progress is not None:
                progress(len(images), len(paths))
        mean = Pair(_mean([one.model for one in images]), _mean([one.bicubic for one in images]))
        settings: dict[str, str | int] = {
            "images": folder.resolve().name,
            "count": len(paths),
            "backend": placement.backend,
        }
        if matching:
            settings["post-processing"] = "histogram matching"
        warnings = int8_warnings(machine, {upscaler.spec.name: upscaler.describe()})
        return new_document(
            Quality, machine, settings, QualityResults(images, mean), warnings, upscaler
        )


def _scores(trial: Trial, distance: Distance | None) -> Scores:
    quality = trial.quality
    feature_distance = None if distance is None else trial.distance(distance)
    return Scores(quality.psnr_db, quality.ssim, feature_distance)


def _mean(scores: Sequence[Scores]) -> Scores:
    """The mean of each score; unknown is what one image lacks."""

    def of(values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return fmean(known) if len(known) == len(values) else None

    return Scores(
        of([one.psnr_db for one in scores]),
        fmean(one.ssim for one in scores),
        of([one.feature_distance for one in scores]),
    )


def feature_distance(vgg: str) -> Distance:
    """The distance of relu2_2 features, with weights as `framelift train --vgg` takes them.

    Raises CheckpointError, MissingDependencyError.
    """
    with needed_for("--vgg", "framelift[train]"):
        from ...train.validation.feature_distance import FeatureDistance
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
