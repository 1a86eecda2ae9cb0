"""Y-PSNR and Y-SSIM of a network in training, by the standard protocol of `imaging.quality`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..imaging.errors import InputError
from ..imaging.quality import ImageU8, SetQuality, Upscale, evaluate
from .data.photos import SUFFIXES


def load_originals(folder: Path) -> list[tuple[str, ImageU8]]:
    """The images of a folder as (name, uint8 BGR H×W×3 or grey H×W). Raises InputError."""
    if not folder.is_dir():
        raise InputError(f"validation folder {folder}: no such folder")
    originals = []
    for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES):
        image = cv2.imread(str(path), cv2.IMREAD_ANYCOLOR)
        if image is None:
            raise InputError(f"validation image {path}: not a readable image")
        originals.append((path.stem, image.astype(np.uint8, copy=False)))
    if not originals:
        raise InputError(f"validation folder {folder}: holds no image")
    return originals


def upscale_with(network: nn.Module, device: torch.device) -> Upscale:
    """`network` as a function of uint8 BGR H×W×3 images, with the rounding that export uses."""

    def upscale(image: ImageU8) -> ImageU8:
        rgb = torch.from_numpy(np.ascontiguousarray(image[:, :, ::-1])).to(device)
        with torch.inference_mode():
            output = network(rgb.permute(2, 0, 1)[None].float() / 255)
            levels = (output * 255).round().clamp(0, 255).byte()[0].permute(1, 2, 0)
        bgr: NDArray[np.uint8] = levels.cpu().numpy()[:, :, ::-1]
        return np.ascontiguousarray(bgr)

    return upscale


def validate(
    network: nn.Module,
    originals: Sequence[tuple[str, ImageU8]],
    scale: int,
    device: torch.device,
) -> SetQuality:
    """Scores of `network` (in eval mode during the call) on high-resolution originals."""
    was_training = network.training
    network.eval()
    try:
        return evaluate(originals, upscale_with(network, device), scale)
    finally:
        network.train(was_training)
