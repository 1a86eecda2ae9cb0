"""What the two sides of adversarial training ask for, and what keeps them from running away.

All are means over pictures and places, so that they do not depend on crops, nor on how a batch is
divided into parts and over processes.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Objective = Literal["relativistic", "hinge"]


def network_loss(objective: Objective, fake: Tensor, real: Tensor) -> Tensor:
    """What the network that is trained wants, of logits of its outputs and of photographs.

    `relativistic` compares each place of an output with that of its own original (the pairs of
    Jolicoeur-Martineau 2018, "The relativistic discriminator"): softplus(D(real) − D(fake)).
    `hinge` asks for high logits alone: −D(fake) (Lim & Ye 2017, "Geometric GAN").
    """
    fake, real = fake.float(), real.float()
    return F.softplus(real - fake).mean() if objective == "relativistic" else -fake.mean()


def discriminator_loss(objective: Objective, fake: Tensor, real: Tensor) -> Tensor:
    """What the discriminator wants, of the same logits."""
    fake, real = fake.float(), real.float()
    if objective == "relativistic":
        return F.softplus(fake - real).mean()
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def gradient_penalty(discriminator: nn.Module, photographs: Tensor) -> Tensor:
    """R1 of Mescheder et al. 2018: half the squared gradient of a picture's mean logit.

    In logits for each code value (1/255) by which all pixels change, summed over the channels and
    averaged over pixels, so that it depends neither on the crop nor on how many logits there are;
    for pictures of 255×255 pixels it is that of the paper with values in [0, 1]. Computed in
    float32, since the gradient of a gradient loses too much in half precision.
    """
    pixels = photographs.detach().float().requires_grad_()
    with torch.autocast(pixels.device.type, enabled=False):
        logits = discriminator(pixels)
        places = logits[0].numel() / pixels[0, 0].numel()
        (slopes,) = torch.autograd.grad(logits.sum() / (255 * places), pixels, create_graph=True)
    penalty: Tensor = slopes.square().sum(1).mean() / 2
    return penalty
