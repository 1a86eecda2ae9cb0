"""Where the training pairs of a run come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..config.schema import TrainConfig
from ..data.crops import CropSampler, HostCrops
from ..data.degradation import MARGIN, Reduction
from ..data.footage.cache import open_cache
from ..data.footage.clips import find_clips
from ..data.footage.pairs import CropPlan, FootagePairs
from ..data.on_device import DeviceCrops
from ..data.pairs import Pairs, PhotoPairs
from ..data.photos import PhotoSet
from ..distributed import Processes


def crop_with_margin(config: TrainConfig) -> int:
    """The side of what is cut from a photograph: the margin is cut off after degrading."""
    return config.data.crop + 2 * MARGIN * config.network.scale


def pairs_of(
    config: TrainConfig, photos: PhotoSet, processes: Processes, device: torch.device
) -> Pairs[Any]:
    """This process's part of the pairs of each step. Raises InputError and ConfigError."""
    if config.data.degradation == "codec":
        return _footage(config, photos, processes, device)
    return _photographs(config, config.data.degradation, photos, processes, device)


def _photographs(
    config: TrainConfig,
    kind: Reduction,
    photos: PhotoSet,
    processes: Processes,
    device: torch.device,
) -> PhotoPairs:
    """Pairs that are cut from photographs and degraded as they are drawn."""
    data, scale = config.data, config.network.scale
    sampler = CropSampler(
        photos.photos,
        crop_with_margin(config),
        data.batch * processes.count,
        config.seed,
        data.cache_mb << 20,
        processes.part_of(data.batch),
    )
    if data.detail:
        sampler.prefer_detail(scale, data.detail, data.workers)
    crops = (
        DeviceCrops(sampler, device, data.workers) if data.on_device else HostCrops(sampler, device)
    )
    return PhotoPairs(sampler, crops, scale, kind)


def _footage(
    config: TrainConfig, photos: PhotoSet, processes: Processes, device: torch.device
) -> FootagePairs:
    """Pairs that are cut from coded sequences, which the first run makes."""
    data, scale = config.data, config.network.scale
    cache = open_cache(
        data.codec,
        scale,
        config.seed,
        photos.photos,
        photos.order,
        find_clips([Path(folder) for folder in data.folders]),
        data.workers,
    )
    batch = data.batch * processes.count
    crops = CropPlan(data.crop, scale, batch, config.seed, data.detail, data.codec.clean)
    return FootagePairs(cache, crops, processes.part_of(data.batch), device, data.workers)
