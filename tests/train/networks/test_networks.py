"""Networks: shapes, the merged form, the paper's layers, the receptive field."""

from __future__ import annotations

import msgspec
import pytest
import torch
from torch import nn

from framelift.train.networks import (
    CompactConfig,
    JohnsonConfig,
    NetworkConfig,
    RealtimeConfig,
    SRNetwork,
    build_network,
    compact_config_of,
)
from framelift.train.networks.inherit import can_inherit, inherited
from framelift.train.networks.realtime import Realtime

CONFIGS: list[NetworkConfig] = [
    RealtimeConfig(scale=2, channels=8, layers=2),
    RealtimeConfig(scale=3, channels=12, layers=1, expansion=1),
    RealtimeConfig(scale=4, channels=16, layers=3),
    RealtimeConfig(scale=2, channels=20, layers=2, stride=2),
    RealtimeConfig(scale=3, channels=16, layers=1, stride=2),
    CompactConfig(scale=2, num_feat=8, num_conv=2),
    CompactConfig(scale=3, num_feat=6, num_conv=0, act="relu"),
    CompactConfig(scale=4, num_feat=6, num_conv=1, act="leakyrelu"),
    JohnsonConfig(scale=2, channels=6, blocks=2),
    JohnsonConfig(scale=4, channels=6, blocks=1),
    JohnsonConfig(scale=8, channels=4, blocks=0),
    JohnsonConfig(scale=4, channels=4, blocks=1, upsampling="nearest"),
    JohnsonConfig(scale=8, channels=4, blocks=1, upsampling="nearest", norm="none"),
    JohnsonConfig(scale=2, channels=4, blocks=1, norm="none"),
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
    network = used_network(config)
    height, width = 9 * network.size_multiple, 14 * network.size_multiple
    output = network(torch.rand(2, 3, height, width))
    assert output.shape == (2, 3, height * config.scale, width * config.scale)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_deployed_network_is_plain_and_equal(config: NetworkConfig) -> None:
    network = used_network(config)
    deployed = network.deploy()
    kinds = {type(module) for module in deployed.modules()}
    assert nn.BatchNorm2d not in kinds
    frames = torch.rand(1, 3, 21 * network.size_multiple, 18)
    with torch.no_grad():
        torch.testing.assert_close(deployed(frames), network(frames), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_halo_is_the_reach_of_a_pixel(config: NetworkConfig) -> None:
    network = used_network(config).double()
    multiple, halo = network.size_multiple, network.halo
    assert halo is not None
    side = 2 * halo + 6
    side += -side % (2 * multiple)
    frames = torch.rand(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    middle = side // 2
    reach = 0
    for k in range(config.scale * multiple):  # every sub-pixel of the middle block looks elsewhere
        row = middle * config.scale + k
        (gradient,) = torch.autograd.grad(network(frames)[0, :, row, row].sum(), frames)
        touched = gradient.abs().sum((0, 1)).nonzero() - (middle + k // config.scale)
        reach = max(reach, int(touched.abs().max()))
    # ReLU blocks some paths, so the reach may fall short of the halo, but must never exceed it.
    assert halo - 2 <= reach <= halo


@pytest.mark.parametrize(
    "config", [RealtimeConfig(), RealtimeConfig(scale=2, stride=2), RealtimeConfig(3, stride=2)]
)
def test_realtime_starts_near_nearest_neighbour(config: RealtimeConfig) -> None:
    torch.manual_seed(0)
    network = build_network(config)
    frames = torch.rand(1, 3, 12, 12)
    nearest = frames.repeat_interleave(config.scale, 2).repeat_interleave(config.scale, 3)
    with torch.no_grad():
        error = (network(frames) - nearest).square().mean().sqrt()
    assert error < 0.35


def test_realtime_deploys_to_convolutions_relus_and_one_shuffle() -> None:
    plain = build_network(RealtimeConfig(scale=2, layers=3)).deploy()
    strided = build_network(RealtimeConfig(scale=2, layers=3, stride=2)).deploy()
    kinds = [nn.Conv2d, nn.ReLU] * 3 + [nn.Conv2d, nn.PixelShuffle]
    for deployed in (plain, strided):
        assert isinstance(deployed, nn.Sequential)
        assert [type(module) for module in deployed] == kinds
    stem = strided[0]  # type: ignore[index]
    assert isinstance(stem, nn.Conv2d)
    assert (stem.kernel_size, stem.stride, stem.padding) == ((6, 6), (2, 2), (2, 2))


def test_compact_takes_the_names_of_community_checkpoints() -> None:
    config = CompactConfig(scale=4, num_feat=24, num_conv=3)
    weights = build_network(config).state_dict()
    assert list(weights) == [
        "body.0.weight",
        "body.0.bias",
        "body.1.weight",
        "body.2.weight",
        "body.2.bias",
        "body.3.weight",
        "body.4.weight",
        "body.4.bias",
        "body.5.weight",
        "body.6.weight",
        "body.6.bias",
        "body.7.weight",
        "body.8.weight",
        "body.8.bias",
    ]
    assert weights["body.1.weight"].shape == (24,)
    assert weights["body.8.weight"].shape == (48, 24, 3, 3)
    assert compact_config_of(weights) == config
    relu = CompactConfig(scale=2, num_feat=8, num_conv=1, act="relu")
    assert compact_config_of(build_network(relu).state_dict()) == relu
    # The published ×4 general model's size: 64 features, 32 convolutions, 1.2 M parameters.
    published = build_network(CompactConfig(scale=4, num_feat=64, num_conv=32))
    assert sum(p.numel() for p in published.parameters()) == 1_213_296


def test_compact_with_silent_last_layer_is_nearest_neighbour() -> None:
    network = build_network(CompactConfig(scale=3, num_feat=4, num_conv=1))
    with torch.no_grad():
        for parameter in network.body[-1].parameters():  # type: ignore[index, union-attr]
            parameter.zero_()
    frames = torch.rand(1, 3, 5, 6)
    nearest = frames.repeat_interleave(3, 2).repeat_interleave(3, 3)
    torch.testing.assert_close(network(frames), nearest)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("head.weight", (4, 3, 3, 3), "not a state dict of SRVGGNetCompact"),
        ("body.0.weight", (4, 1, 3, 3), "not a state dict of SRVGGNetCompact"),
        ("body.4.weight", (10, 8, 3, 3), "has 10 outputs, not 3·scale²"),
    ],
)
def test_other_state_dicts_are_no_compact(name: str, shape: tuple[int, ...], message: str) -> None:
    weights = {**build_network(CompactConfig(2, 8, 1)).state_dict(), name: torch.zeros(shape)}
    if name.startswith("head"):
        weights = {name: torch.zeros(shape)}
    with pytest.raises(ValueError, match=message):
        compact_config_of(weights)


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
        (lambda: RealtimeConfig(channels=12, stride=2), "channels must exceed 12"),
        (lambda: RealtimeConfig(stride=3), "stride must be 1 or 2, not 3"),
        (lambda: CompactConfig(scale=6), "scale must be 1, 2, 3, 4 or 8, not 6"),
        (lambda: CompactConfig(num_feat=0), "num_feat must be at least 1"),
        (lambda: JohnsonConfig(scale=3), "scale must be 2, 4 or 8, not 3"),
    ],
)
def test_impossible_hyper_parameters_are_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=message):
        make()


def a_trained_realtime(**changes: int) -> tuple[RealtimeConfig, Realtime]:
    torch.manual_seed(0)
    config = RealtimeConfig(**{"channels": 16, "layers": 2, "expansion": 2, **changes})
    trained = Realtime(config)
    for parameter in trained.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return config, trained


@pytest.mark.parametrize(("large", "small", "stride"), [(4, 2, 1), (8, 2, 1), (8, 4, 2)])
def test_at_a_smaller_scale_is_the_mean_of_the_larger(large: int, small: int, stride: int) -> None:
    config, trained = a_trained_realtime(scale=large, stride=stride)
    reduced = inherited(trained, msgspec.structs.replace(config, scale=small))
    images = torch.rand(2, 3, 10, 8)
    expected = torch.nn.functional.avg_pool2d(trained(images), large // small)
    torch.testing.assert_close(reduced(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("channels", "layers", "stride"), [(24, 2, 1), (16, 4, 1), (32, 5, 2)])
def test_a_larger_network_begins_as_the_smaller(channels: int, layers: int, stride: int) -> None:
    config, trained = a_trained_realtime(scale=2, stride=stride)
    larger = inherited(trained, msgspec.structs.replace(config, channels=channels, layers=layers))
    images = torch.rand(2, 3, 10, 8)
    torch.testing.assert_close(larger(images), trained(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "changes", [{"channels": 8}, {"layers": 1}, {"scale": 4}, {"stride": 2, "channels": 24}]
)
def test_what_cannot_begin_as_another(changes: dict[str, int]) -> None:
    config = RealtimeConfig(scale=2, channels=16, layers=2)
    assert can_inherit(config, msgspec.structs.replace(config, expansion=1, layers=3))
    assert not can_inherit(config, msgspec.structs.replace(config, **changes))


def test_all_kernels_of_a_larger_network_can_learn() -> None:
    config, trained = a_trained_realtime(scale=2)
    larger = inherited(trained, msgspec.structs.replace(config, channels=24, layers=3))
    optimizer = torch.optim.SGD(larger.parameters(), lr=1e-2)
    for _ in range(3):  # what is new is looked at from the second step on, layer by layer
        optimizer.zero_grad()
        (larger(torch.rand(1, 3, 12, 12)) - 0.5).square().mean().backward()
        optimizer.step()
    assert all(p.grad is not None and p.grad.any() for p in larger.parameters())
    second = larger.get_parameter("body.1.direct").grad
    assert second is not None
    assert second[:13, 13:21].any()  # what is new is looked at


@pytest.mark.parametrize("stride", [1, 2])
def test_bfloat16_does_not_round_what_the_residual_is_added_to(stride: int) -> None:
    torch.manual_seed(0)
    network = Realtime(RealtimeConfig(scale=2, channels=16, layers=2, stride=stride))
    lr = torch.rand(1, 3, 12, 12)
    with torch.no_grad():
        for parameter in network.head.parameters():
            parameter.zero_()
        network.head.bias.fill_(1e-3)  # a quarter of a code
        with torch.autocast("cpu", torch.bfloat16):
            output = network(lr)
    added = output - torch.nn.functional.interpolate(lr, scale_factor=2.0)
    torch.testing.assert_close(added, torch.full_like(added, 1e-3), rtol=0.01, atol=0)


@pytest.mark.parametrize("stride", [1, 2])
def test_bfloat16_does_not_round_what_the_first_convolution_reads(stride: int) -> None:
    """A pattern of a quarter of a code, on a level where bfloat16 has whole codes only."""
    torch.manual_seed(0)
    network = Realtime(RealtimeConfig(scale=2, channels=16, layers=2, stride=stride))
    with torch.no_grad():
        network.get_parameter("body.0.project").zero_()
        direct = network.get_parameter("body.0.direct")
        direct.sub_(direct.mean((2, 3), keepdim=True))  # sees differences only
    lr = 0.75 + torch.rand(1, 3, 16, 16) / 1024

    def spread(images: torch.Tensor) -> torch.Tensor:
        residual = network(images) - torch.nn.functional.interpolate(images, scale_factor=2.0)
        alike = torch.nn.functional.pixel_unshuffle(residual[..., 8:-8, 8:-8], 2 * stride)
        return alike.std((0, 2, 3)).mean()

    with torch.no_grad():
        exact = spread(lr)
        with torch.autocast("cpu", torch.bfloat16):
            assert spread(lr) > exact / 2


def test_johnson_in_bfloat16_gives_float32() -> None:
    """The picture's range has more levels than bfloat16 keeps of it."""
    torch.manual_seed(0)
    network = build_network(JohnsonConfig(scale=2, channels=4, blocks=1, norm="none"))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        output = network(torch.rand(1, 3, 12, 12))
    assert output.dtype == torch.float32
    assert not torch.equal(output, output.bfloat16().float())
