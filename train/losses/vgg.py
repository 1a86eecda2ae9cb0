"""The frozen VGG-16 that measures perceptual losses, and where its weights come from.

Simonyan & Zisserman 2014, configuration D. Three sources of weights, each with the preprocessing it
was trained with:
- "torchvision": `VGG16_Weights.IMAGENET1K_V1`, downloaded by torchvision (RGB in [0, 1], ImageNet
  mean and deviation);
- a `.pth` file of torchvision's state dict: the same preprocessing, no download;
- a `.npz` file of the original Caffe network (arrays `conv1_1.weight`, `conv1_1.bias`, ...): BGR in
  [0, 255] minus the mean [103.939, 116.779, 123.68].
"""

from __future__ import annotations

import zipfile
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...common.errors import CheckpointError
from ...common.text import first_line
from ..checkpoints.foreign import load_foreign

WIDTHS = (64, 128, 256, 512, 512)
CONVS_PER_BLOCK = (2, 2, 3, 3, 3)
CONVOLUTIONS = tuple(
    f"conv{block}_{index}"
    for block, count in enumerate(CONVS_PER_BLOCK, start=1)
    for index in range(1, count + 1)
)
LAYERS = tuple(name.replace("conv", "relu") for name in CONVOLUTIONS)

Kernels = dict[str, tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class VggWeights:
    """Kernels by convolution name, and the affine preprocessing from RGB in [0, 1].

    `order` picks the input channels, then x·`gain` − `shift` (each a tensor of 3 values).
    """

    kernels: Kernels
    order: tuple[int, int, int]
    gain: Tensor
    shift: Tensor
    source: str

    @property
    def layers(self) -> tuple[str, ...]:
        """The relu layers that can be computed, shallowest first."""
        held = []
        for conv, layer in zip(CONVOLUTIONS, LAYERS, strict=True):
            if conv not in self.kernels:
                break
            held.append(layer)
        return tuple(held)


def smallest_side(layer: str) -> int:
    """The side in pixels under which pooling leaves nothing of a picture at `layer`."""
    return 1 << (int(layer[len("relu")]) - 1)


def load_vgg_weights(source: str) -> VggWeights:
    """Read VGG-16 weights from "torchvision", a torchvision `.pth` or a Caffe-convention `.npz`.

    Raises CheckpointError if the source cannot be read or holds no VGG-16 layer.
    """
    if source == "torchvision":
        return _torchvision_convention(_downloaded_state(), source)
    path = Path(source)
    if not path.is_file():
        raise CheckpointError(
            f"VGG weights {source}: no such file; use 'torchvision', a torchvision .pth "
            "or a Caffe-convention .npz"
        )
    if path.suffix == ".npz":
        return _caffe_convention(path)
    if path.suffix in (".pth", ".pt"):
        try:
            state = load_foreign(path)
        except ValueError as error:
            raise CheckpointError(f"VGG weights {path}: {error}") from error
        return _torchvision_convention(state, str(path))
    raise CheckpointError(f"VGG weights {path}: expected a .pth or .npz file")


def _downloaded_state() -> dict[str, Tensor]:
    from torchvision.models import VGG16_Weights

    weights = VGG16_Weights.IMAGENET1K_V1
    try:
        state: dict[str, Tensor] = weights.get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(
            f"VGG weights 'torchvision': download failed ({first_line(error, 120)}); fetch "
            f"{weights.url} on another machine and pass its path"
        ) from error
    return state


def _torchvision_convention(state: object, source: str) -> VggWeights:
    if not isinstance(state, dict):
        raise CheckpointError(f"VGG weights {source}: not a state dict of torchvision's vgg16")
    kernels: Kernels = {}
    index = 0  # of torchvision's `features`, where ReLU and pooling count too
    for name in CONVOLUTIONS:
        if index and name.endswith("_1"):
            index += 1
        weight, bias = state.get(f"features.{index}.weight"), state.get(f"features.{index}.bias")
        if isinstance(weight, Tensor) and isinstance(bias, Tensor):
            kernels[name] = (weight.float(), bias.float())
        index += 2
    _check(kernels, source)
    deviation = torch.tensor([0.229, 0.224, 0.225])
    mean = torch.tensor([0.485, 0.456, 0.406])
    return VggWeights(kernels, (0, 1, 2), 1 / deviation, mean / deviation, source)


def _caffe_convention(path: Path) -> VggWeights:
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("no zip archive")
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        kernels: Kernels = {
            name: (
                torch.from_numpy(arrays[f"{name}.weight"]).float(),
                torch.from_numpy(arrays[f"{name}.bias"]).float(),
            )
            for name in CONVOLUTIONS
            if f"{name}.weight" in arrays and f"{name}.bias" in arrays
        }
    except (OSError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"VGG weights {path}: not a readable .npz ({first_line(error, 120)})"
        ) from error
    _check(kernels, str(path))
    mean = torch.tensor([103.939, 116.779, 123.68])
    return VggWeights(kernels, (2, 1, 0), torch.full((3,), 255.0), mean, str(path))


def _check(kernels: Kernels, source: str) -> None:
    if "conv1_1" not in kernels:
        raise CheckpointError(f"VGG weights {source}: contains no layer conv1_1 of VGG-16")
    inputs = 3
    for name, (weight, bias) in kernels.items():
        width = WIDTHS[int(name[4]) - 1]
        if tuple(weight.shape) != (width, inputs, 3, 3) or tuple(bias.shape) != (width,):
            raise CheckpointError(
                f"VGG weights {source}: {name} has shape {tuple(weight.shape)}, "
                f"VGG-16 has {(width, inputs, 3, 3)}"
            )
        if not (weight.isfinite().all() and bias.isfinite().all()):
            raise CheckpointError(
                f"VGG weights {source}: {name} contains numbers that are not finite"
            )
        inputs = width


class VggFeatures(nn.Module):
    """VGG-16 up to the deepest of `layers`; frozen, always in eval mode.

    Maps float N×3×H×W RGB in [0, 1] to {layer: N×C×H'×W' features after the ReLU}. Raises
    CheckpointError if the weights do not hold a layer.
    """

    order: Tensor
    gain: Tensor
    shift: Tensor

    def __init__(self, layers: tuple[str, ...], weights: VggWeights) -> None:
        super().__init__()
        for layer in layers:
            if layer not in weights.layers:
                raise CheckpointError(
                    f"VGG layer {layer!r} is not in {weights.source}, which holds "
                    f"{', '.join(weights.layers)}"
                )
        deepest = max(LAYERS.index(layer) for layer in layers)
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        for conv_name, relu_name in list(zip(CONVOLUTIONS, LAYERS, strict=True))[: deepest + 1]:
            if conv_name.endswith("_1") and stages:
                stages[f"pool{int(conv_name[4]) - 1}"] = nn.MaxPool2d(2)
            weight, bias = weights.kernels[conv_name]
            conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
            conv.load_state_dict({"weight": weight, "bias": bias})
            stages[conv_name] = conv
            stages[relu_name] = nn.ReLU()
        self.layers = layers
        self.stages = nn.Sequential(stages)
        self.register_buffer("order", torch.tensor(weights.order))
        self.register_buffer("gain", weights.gain.view(1, 3, 1, 1))
        self.register_buffer("shift", weights.shift.view(1, 3, 1, 1))
        self.requires_grad_(False)
        super().train(False)

    def train(self, mode: bool = True) -> VggFeatures:
        """Stay in eval mode whatever is asked: the loss network is fixed."""
        return self

    def forward(self, rgb: Tensor, layers: Collection[str] | None = None) -> dict[str, Tensor]:
        """The features at `layers`, by default at all; nothing beyond the deepest is computed."""
        wanted = set(self.layers if layers is None else layers)
        x = rgb.index_select(1, self.order) * self.gain - self.shift
        features: dict[str, Tensor] = {}
        for name, stage in self.stages.named_children():
            if len(features) == len(wanted):
                break
            x = stage(x)
            if name in wanted:
                features[name] = x
        return features
