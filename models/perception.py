"""Distances of deep VGG-16 features: what judges models that were trained on shallower ones.

A loss finds the weaknesses of the layer that it is made of: networks trained on relu2_2 come nearer
there with a fine weave, which relu4_3 places farther from a photograph. So the layers that judge
are kept out of training, and `trained_layers` lists which were not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from framelift.imaging.metrics import shave
from framelift.imaging.quality import Trial
from framelift.train.losses.terms import unit_distance
from framelift.train.losses.vgg import VggFeatures, VggWeights, load_vgg_weights
from framelift.train.validation.feature_distance import CPU, to_tensor

LAYERS = ("relu2_2", "relu3_3", "relu4_3")
"""Whose distances are measured, where the weights hold them."""

# Of the mean square of the original's features: keeps channels that are silent in both images alike
# whatever the scale of the weights.
_SILENT = 1e-6


@dataclass(frozen=True)
class Perception:
    """Means over the images of a set; lower is nearer to the originals.

    `distances`: by layer, the squared distance of features that are scaled to length 1 at each
    position, 0 to 4. `texture` and `structure`: 1 less the two similarities of Ding et al. 2020
    (DISTS) at the deepest layer, with equal weights for all channels in place of those learnt from
    people's opinions, and with VGG's own pooling. Texture compares the means of the feature maps,
    wherever in the image they lie; structure compares their correlation.
    """

    distances: Mapping[str, float]
    texture: float
    structure: float


class PerceptionMeter:
    """Compares images at the layers of `LAYERS` that `vgg`, weights as for `framelift train`, has.

    Raises CheckpointError for weights that cannot be read or end before the first of them.
    """

    def __init__(self, vgg: str) -> None:
        weights = load_vgg_weights(vgg)
        self.layers = usable_layers(weights)
        self._features = VggFeatures(self.layers or LAYERS[:1], weights)

    def __call__(self, trials: Iterable[Trial]) -> Perception:
        """The means over `trials`, at least one; their borders are shaved as for PSNR."""
        rows = [self._compare(trial) for trial in trials]
        means = [float(mean) for mean in np.mean(rows, 0)]
        return Perception(dict(zip(self.layers, means, strict=False)), means[-2], means[-1])

    def _compare(self, trial: Trial) -> list[float]:
        with torch.inference_mode():
            got, wanted = (
                self._features(to_tensor(shave(image, trial.scale), CPU))
                for image in (trial.output, trial.reference)
            )
            units = [float(unit_distance(got[layer], wanted[layer])) for layer in self.layers]
            deepest = self.layers[-1]
            texture, structure = similarities(got[deepest], wanted[deepest])
        return [*units, 1 - texture, 1 - structure]


def usable_layers(weights: VggWeights) -> tuple[str, ...]:
    """Those of `LAYERS` that the weights hold."""
    return tuple(layer for layer in LAYERS if layer in weights.layers)


def similarities(got: Tensor, wanted: Tensor) -> tuple[float, float]:
    """Texture and structure, means over the channels, of features 1×C×H×W (Ding et al. 2020,
    equations 5 and 6): 1 for equal ones.
    """
    ours, theirs = (features.flatten(2).double() for features in (got, wanted))
    small = _SILENT * float(theirs.square().mean()) + 1e-12
    mean_ours, mean_theirs = ours.mean(2), theirs.mean(2)
    texture = (2 * mean_ours * mean_theirs + small) / (
        mean_ours.square() + mean_theirs.square() + small
    )
    off_ours, off_theirs = ours - mean_ours[..., None], theirs - mean_theirs[..., None]
    structure = (2 * (off_ours * off_theirs).mean(2) + small) / (
        off_ours.square().mean(2) + off_theirs.square().mean(2) + small
    )
    return float(texture.mean()), float(structure.mean())


def trained_layers(training: Mapping[str, Any]) -> frozenset[str]:
    """The VGG layers in the losses of a checkpoint's training, and of those that it started from,
    is mixed of or learned from.
    """
    layers = {
        layer
        for term in training.get("loss", ())
        if term.get("weight", 1.0)
        for layer, weight in term.get("layers", {}).items()
        if weight
    }
    earlier = [training.get("init"), training.get("teacher"), *training.get("mixed", ())]
    of_earlier = [trained_layers(one.get("training", {})) for one in earlier if one]
    return frozenset(layers).union(*of_earlier)
