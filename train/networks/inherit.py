"""A realtime network that begins as the function of another one, trained before.

So training goes on from what was learnt: a ×2 network from one for ×4, a larger one from a smaller
(Chen et al. 2016, "Net2Net: Accelerating learning via knowledge transfer").
"""

from __future__ import annotations

import torch
from torch import Tensor

from .realtime import RGB, MergedConv, Realtime, RealtimeConfig


def can_inherit(trained: RealtimeConfig, config: RealtimeConfig) -> bool:
    """Whether `inherited` can make the second of the first."""
    return (
        trained.scale % config.scale == 0
        and trained.stride == config.stride
        and trained.channels <= config.channels
        and trained.layers <= config.layers
    )


def inherited(trained: Realtime, config: RealtimeConfig) -> Realtime:
    """A network of `config`, as large as `trained` or larger, that computes what `trained` does.

    - At a smaller scale its output is the means over squares of pixels of `trained`'s: a mean of
      outputs of the last convolution is an output of the mean kernel.
    - The channels it has more have random kernels, and no other channel looks at them yet.
    - The layers it has more pass on what they get, which a second ReLU leaves as it is.
    """
    network = Realtime(config)
    layers = [_merged(block) for block in trained.body]
    known = layers[-1][0].shape[0]  # channels that `trained` learnt
    passes_on = torch.zeros(known, known + trained.carried, 3, 3)
    passes_on[range(known), range(known), 1, 1] = 1
    layers += [(passes_on, torch.zeros(known))] * (config.layers - len(layers))
    learnt = config.channels - config.carried
    columns = [*range(known), *range(learnt, config.channels)]
    with torch.no_grad():
        for index, (block, layer) in enumerate(zip(network.body, layers, strict=True)):
            _set(block, *layer, columns if index else [*range(config.carried)])
        weight, bias = _merged(trained.head)  # of the residual; the means of the rest are the rest
        side = trained.shuffle // network.shuffle
        _set(network.head, _means(weight, side), _means(bias, side), columns)
    return network


def _merged(block: torch.nn.Module) -> tuple[Tensor, Tensor]:
    assert isinstance(block, MergedConv)
    return block.weight_and_bias()


def _set(block: torch.nn.Module, weight: Tensor, bias: Tensor, columns: list[int]) -> None:
    """Make the first outputs of a block those of a kernel on the inputs `columns`."""
    assert isinstance(block, MergedConv)
    outputs = len(weight)
    for parameter in (block.direct, block.point, block.project):
        parameter[:outputs] = 0
    block.direct[:outputs, columns] = weight
    block.bias[:outputs] = bias


def _means(values: Tensor, side: int) -> Tensor:
    """Over the outputs that the pixel shuffle puts into one square of side×side pixels."""
    small = round((len(values) / RGB) ** 0.5) // side
    grid = values.view(RGB, small, side, small, side, -1)
    return grid.mean(dim=(2, 4)).view(RGB * small * small, *values.shape[1:])
