"""Networks: shapes, the merged form, the paper's layers, the receptive field."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from framelift.train.networks import (
    JohnsonConfig,
    NetworkConfig,
    RealtimeConfig,
    SRNetwork,
    build_network,
)

CONFIGS: list[NetworkConfig] = [
    RealtimeConfig(scale=2, channels=8, layers=2),
    RealtimeConfig(scale=3, channels=12, layers=1, expansion=1),
    RealtimeConfig(scale=4, channels=16, layers=3),
    JohnsonConfig(scale=2, channels=6, blocks=2),
    JohnsonConfig(scale=4, channels=6, blocks=1),
    JohnsonConfig(scale=8, channels=4, blocks=0),
]


def used_network(config: NetworkConfig) -> SRNetwork:
    """A network with random weights and norms that have seen data, in eval mode."""
    torch.manual_seed(1)
    network = build_network(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    network.train()
    for _ in range(3):
        network(torch.rand(2, 3, 16, 16))
    return network.eval()


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_output_is_scale_times_the_input(config: NetworkConfig) -> None:
    output = used_network(config)(torch.rand(2, 3, 9, 14))
    assert output.shape == (2, 3, 9 * config.scale, 14 * config.scale)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_deployed_network_is_plain_and_equal(config: NetworkConfig) -> None:
    network = used_network(config)
    deployed = network.deploy()
    kinds = {type(module) for module in deployed.modules()}
    assert nn.BatchNorm2d not in kinds
    frames = torch.rand(1, 3, 21, 18)
    with torch.no_grad():
        torch.testing.assert_close(deployed(frames), network(frames), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_halo_is_the_reach_of_a_pixel(config: NetworkConfig) -> None:
    network = used_network(config).double()
    side = 2 * network.halo + 5
    frames = torch.rand(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    reach = 0
    for k in range(config.scale):  # every sub-pixel of the middle pixel looks elsewhere
        row = side // 2 * config.scale + k
        (gradient,) = torch.autograd.grad(network(frames)[0, :, row, row].sum(), frames)
        touched = gradient.abs().sum((0, 1)).nonzero() - side // 2
        reach = max(reach, int(touched.abs().max()))
    # ReLU blocks some paths, so the reach may fall short of the halo, but must never exceed it.
    assert network.halo - 2 <= reach <= network.halo


def test_realtime_starts_near_nearest_neighbour() -> None:
    torch.manual_seed(0)
    network = build_network(RealtimeConfig())
    frames = torch.rand(1, 3, 12, 12)
    nearest = frames.repeat_interleave(4, 2).repeat_interleave(4, 3)
    with torch.no_grad():
        error = (network(frames) - nearest).square().mean().sqrt()
    assert error < 0.35


def test_johnson_has_the_layers_of_the_paper() -> None:
    network = build_network(JohnsonConfig())
    convs = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    shapes = [(tuple(c.kernel_size), c.out_channels, tuple(c.stride)) for c in convs]
    assert shapes[0] == ((9, 9), 64, (1, 1))
    assert shapes[1:9] == [((3, 3), 64, (1, 1))] * 8
    assert shapes[9:11] == [((3, 3), 64, (2, 2))] * 2
    assert shapes[11:] == [((9, 9), 3, (1, 1))]
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) == 1 + 8 + 2
    extreme = network(100 * torch.randn(1, 3, 8, 8))
    assert 0 <= extreme.min() <= extreme.max() <= 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RealtimeConfig(scale=5), "scale must be 2, 3, 4 or 8, not 5"),
        (lambda: RealtimeConfig(channels=3), "channels must exceed 3"),
        (lambda: JohnsonConfig(scale=3), "scale must be 2, 4 or 8, not 3"),
    ],
)
def test_impossible_hyper_parameters_are_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=message):
        make()
