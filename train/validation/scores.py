"""Scores of a network in training: the standard protocol, and the distance of VGG features."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...common.errors import InputError, TrainingError
from ...common.libraries.memory import is_out_of_memory
from ...imaging.quality import (
    ImageQuality,
    ImageU8,
    SetQuality,
    Upscale,
    bicubic,
    compare,
    trials,
)
from ..config.schema import TrainConfig
from ..data.photos import image_files, usable_picture
from .feature_distance import FeatureDistance, to_tensor

PICTURE_SIDE = 256
"""Validation pictures show the middle of an image, at most this many pixels a side."""


@dataclass(frozen=True)
class Scores:
    """Means over the validation images."""

    quality: SetQuality
    bicubic: SetQuality
    """What MATLAB's bicubic reaches on the same images."""
    feature_distance: float | None
    pictures: dict[str, NDArray[np.uint8]] = field(repr=False)
    """By name: bicubic, the network's output and the original side by side, uint8 H×W×3 RGB."""

    def record(self) -> dict[str, float]:
        """The scores by the names they are logged under."""
        record = {"psnr_y": self.quality.psnr_db, "ssim_y": self.quality.ssim}
        if self.feature_distance is not None:
            record["feature_distance"] = self.feature_distance
        return record

    def line(self) -> str:
        """The scores for the user, beside bicubic's."""
        reached, plain = self.quality.psnr_db, self.bicubic.psnr_db
        beside = f" (bicubic {plain:.2f})" if reached >= plain else f", BELOW bicubic's {plain:.2f}"
        distance = self.feature_distance
        feature = f", feature distance {distance:.4g}" if distance is not None else ""
        return f"PSNR {reached:.2f} dB{beside}, SSIM {self.quality.ssim:.4f}{feature}"


class Validator:
    """Scores networks on the originals of one folder, as a config's `validation` says.

    Raises InputError for a folder or image that cannot be used, CheckpointError for VGG weights.
    """

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        settings = config.validation
        self.skipped: list[str] = []
        """A line about each file of the folder that is not scored."""
        self.originals = load_originals(Path(settings.folder), config.network.scale, self.skipped)
        self.settings = settings
        self.scale = config.network.scale
        self.size_multiple = config.size_multiple
        self.device = device
        self._bicubic: list[ImageQuality] = []  # of the originals so far
        self.distance: FeatureDistance | None = None
        if layer := settings.feature_layer:
            self.distance = FeatureDistance(settings.vgg or config.vgg, layer, device)

    def __call__(self, network: nn.Module) -> Scores:
        """Scores of `network`, which is in eval mode during the call.

        Raises TrainingError when an image is too large for the memory, or the network's output is
        not finite.
        """
        was_training = network.training
        network.eval()
        try:
            return self._scores(upscale_with(network, self.device, self.size_multiple))
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise TrainingError(
                f"out of memory while validating: put smaller images into {self.settings.folder}"
            ) from error
        finally:
            network.train(was_training)

    def _scores(self, upscale: Upscale) -> Scores:
        qualities, distances = [], []
        pictures: dict[str, NDArray[np.uint8]] = {}
        matching = self.settings.histogram_matching
        for trial in trials(self.originals, upscale, self.scale, matching=matching):
            qualities.append(trial.quality)
            if len(self._bicubic) < len(qualities):  # the same every time
                plain = bicubic(self.scale)(trial.small)
                self._bicubic.append(compare(trial.name, plain, trial.original, self.scale))
            if self.distance is not None:
                distances.append(trial.distance(self.distance))
            if len(pictures) < self.settings.pictures:
                shown = (bicubic(self.scale)(trial.small), trial.output, trial.reference)
                pictures[trial.name] = np.hstack([_middle(image)[..., ::-1] for image in shown])
        distance = float(np.mean(distances)) if distances else None
        of_network, of_bicubic = (
            SetQuality(self.scale, tuple(images)) for images in (qualities, self._bicubic)
        )
        return Scores(of_network, of_bicubic, distance, pictures)


def load_originals(
    folder: Path, scale: int, skipped: list[str] | None = None
) -> list[tuple[str, ImageU8]]:
    """The images of a folder as (name, uint8 BGR H×W×3 or grey H×W).

    Those that cannot be read, have transparent pixels or are too small to be scored at `scale` are
    left out; `skipped` takes a line about each. Raises InputError if none is left.
    """
    skipped = [] if skipped is None else skipped
    if not folder.is_dir():
        raise InputError(f"validation folder {folder}: no such folder")
    originals = []
    for path in image_files(folder.iterdir()):
        picture = usable_picture(path)
        if isinstance(picture, str):
            skipped.append(f"{path}: {picture}")
            continue
        height, width = picture.bgr.shape[:2]
        if min(height, width) < 16 + 3 * scale:
            skipped.append(f"{path}: {width}×{height} is too small to score")
        else:  # grey ones stay grey
            image = picture.bgr
            originals.append((path.stem, image[..., 0].copy() if picture.is_grey else image))
    if not originals:
        why = f"{len(skipped)} left out, the first: {skipped[0]}" if skipped else "holds no image"
        raise InputError(f"validation folder {folder}: {why}")
    return originals


def upscale_with(network: nn.Module, device: torch.device, size_multiple: int = 1) -> Upscale:
    """`network` as a function of uint8 BGR H×W×3 images, with the rounding that export uses.

    Sides that are no multiples of `size_multiple` are filled up by repeating the edge.
    The function raises TrainingError for an output that is not finite.
    """

    def upscale(image: ImageU8) -> ImageU8:
        height, width = image.shape[:2]
        fill = [(0, -side % size_multiple) for side in (height, width)]
        filled = np.pad(image, [*fill, (0, 0)], "edge")
        with torch.inference_mode():
            output = network(to_tensor(filled, device))
            if not output.isfinite().all():  # bytes would hide it
                raise TrainingError(
                    "the network's output became nan or inf while validating; go on from the last "
                    "checkpoint with --resume and a lower optimizer.lr, or with optimizer.clip_norm"
                )
            levels = (output * 255).round().clamp(0, 255).byte()[0].permute(1, 2, 0)
        scale = levels.shape[0] // filled.shape[0]
        bgr: NDArray[np.uint8] = levels.cpu().numpy()[: scale * height, : scale * width, ::-1]
        return np.ascontiguousarray(bgr)

    return upscale


def _middle(image: ImageU8) -> ImageU8:
    top, left = (max(0, (side - PICTURE_SIDE) // 2) for side in image.shape[:2])
    return image[top : top + PICTURE_SIDE, left : left + PICTURE_SIDE]
