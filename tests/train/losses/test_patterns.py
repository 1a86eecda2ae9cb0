"""The losses that work against patterns: meshes at any frequency, and the grid of the input."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from framelift.train.losses import (
    ExcessConfig,
    PhaseConfig,
    SpectrumConfig,
    WeightedLoss,
)
from framelift.train.losses.patterns import PhaseLoss, SpectrumLoss
from models.artefacts import fine_energy_ratio
from models.grid import phase_spread


def test_spectrum_sees_a_mesh_and_neither_blur_nor_texture() -> None:
    torch.manual_seed(0)
    loss = WeightedLoss((SpectrumConfig(scale=4),))
    target = torch.rand(2, 3, 128, 128) / 4 + 0.3
    assert loss(target, target)[0] < 1e-3
    assert loss(torch.nn.functional.avg_pool2d(target, 3, 1, 1), target)[0] < 1e-3
    assert loss(torch.rand(2, 3, 128, 128) / 4 + 0.3, target)[0] < 0.02  # of as much energy
    rows, columns = torch.meshgrid(torch.arange(128), torch.arange(128), indexing="ij")
    mesh = torch.cos(2.3 * rows) * torch.cos(2.3 * columns)  # no multiple of the input's pixels
    faint, strong = (loss(target + codes / 255 * mesh, target)[0].item() for codes in (20, 40))
    assert 0.01 < faint < strong
    slow = torch.cos(0.1 * rows)  # what the input can hold is not its affair
    assert loss(target + 0.2 * slow, target)[0] < 1e-3


def test_spectrum_asks_for_nothing_below_its_limit() -> None:
    torch.manual_seed(0)
    target, output = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64, requires_grad=True)
    halved, above = (SpectrumConfig(scale=2, limit=limit) for limit in (0.3, 8.0))
    assert WeightedLoss((above,))(output, target)[0] == 0
    total, _ = WeightedLoss((halved,))(output, target)
    total.backward()
    assert output.grad is not None
    stepped = (output - 10 * output.grad).detach()
    assert WeightedLoss((halved,))(stepped, target)[0] < total


def test_spectrum_has_a_limit_of_its_own_at_the_frequencies_of_the_grid() -> None:
    torch.manual_seed(0)
    plain, strict = (
        WeightedLoss((SpectrumConfig(scale=2, limit=4.0, grid=grid),)) for grid in (1.0, 0.25)
    )
    target = torch.rand(8, 3, 128, 128) / 4 + 0.3
    rows, columns = torch.meshgrid(torch.arange(128), torch.arange(128), indexing="ij")
    on_grid = 0.03 * torch.cos(torch.pi * rows) * torch.cos(torch.pi * columns)
    beside = 0.03 * torch.cos(0.8 * torch.pi * rows) * torch.cos(0.8 * torch.pi * columns)
    assert plain(target + on_grid, target)[0] < strict(target + on_grid, target)[0]
    assert strict(target + beside, target)[0] == plain(target + beside, target)[0]


@pytest.mark.parametrize("scale", [2, 4])
def test_spectrum_begins_beyond_what_the_input_can_hold(scale: int) -> None:
    """Waves of as many periods in 32 pixels, the limit being 16 / scale, and 1.5 more."""
    torch.manual_seed(0)
    loss = WeightedLoss((SpectrumConfig(scale=scale),))
    target = torch.rand(4, 3, 128, 128) / 4 + 0.3
    losses = {}
    for periods in (16 / scale - 2, 16 / scale + 4):
        wave = 0.1 * torch.cos(2 * torch.pi * periods / 32 * torch.arange(128))
        losses[periods] = loss(target + wave[:, None], target)[0].item()
    below, beyond = losses.values()
    assert below < 1e-3
    assert beyond > 0.01


def test_spectrum_of_flat_pictures_is_a_number() -> None:
    loss = WeightedLoss((SpectrumConfig(scale=2),))
    flat, noisy = torch.full((1, 3, 64, 64), 0.5), torch.rand(1, 3, 64, 64)
    assert loss(flat, flat)[0] == 0
    assert 1 < loss(noisy.requires_grad_(), flat)[0] < 1e3


@pytest.mark.parametrize("scale", [2, 4])
def test_spectrum_is_what_the_mesh_is_measured_by(scale: int) -> None:
    rng = np.random.default_rng(0)
    smooth = np.linspace(0, 200, 96)[:, None] * np.ones(80)
    original = smooth + rng.normal(0, np.linspace(0, 20, 80), (96, 80))
    output = original + 6 * np.cos(2.3 * np.arange(80))
    tensors = [
        torch.from_numpy(image / 255).float().expand(1, 3, -1, -1) for image in (output, original)
    ]
    ratios = SpectrumLoss(scale, 1.0).energy_ratio(*tensors)
    np.testing.assert_allclose(ratios, fine_energy_ratio(output, original, scale), rtol=1e-3)


def test_spectrum_of_a_crop_smaller_than_its_window() -> None:
    loss = WeightedLoss((SpectrumConfig(scale=2, limit=0.1),))
    assert loss(torch.rand(1, 3, 24, 24), torch.rand(1, 3, 24, 24))[0] > 0


def test_phase_sees_texture_that_is_not_everywhere_in_a_pixel_of_the_input() -> None:
    torch.manual_seed(0)
    loss = WeightedLoss((PhaseConfig(scale=4),))
    target, texture = (torch.rand(4, 3, 128, 128) / 4 + 0.3 for _ in range(2))
    even = loss(texture, target)[0]
    assert even < 0.01
    assert loss(torch.nn.functional.avg_pool2d(target, 3, 1, 1), target)[0] < 0.05
    some = torch.ones(4, 4)
    some[:, 0] = 0.3
    uneven = (0.4 + (texture - 0.4) * some.repeat(32, 32)).requires_grad_()
    before = loss(uneven, target)[0]
    assert before > 0.3
    before.backward()
    assert uneven.grad is not None
    stepped = (uneven - 0.01 * uneven.grad.sign()).detach()
    assert loss(stepped, target)[0] < before
    assert WeightedLoss((PhaseConfig(scale=4, limit=1e3),))(uneven, target)[0] == 0


@pytest.mark.parametrize("scale", [2, 4])
def test_phase_is_what_the_grid_is_measured_by(scale: int) -> None:
    values = np.random.default_rng(0).normal(120, 20, (70, 133))
    values[::scale] = 120
    image = torch.from_numpy(values / 255).float().expand(1, 3, -1, -1)
    measured = PhaseLoss(scale).spread(image).item()
    assert measured == pytest.approx(phase_spread(values, scale), rel=1e-3)


def test_phase_of_small_and_flat_pictures_is_a_number() -> None:
    loss = WeightedLoss((PhaseConfig(scale=2),))
    small = torch.rand(1, 3, 8, 8, requires_grad=True)
    total = loss(small, torch.full((1, 3, 8, 8), 0.5))[0]
    total.backward()
    assert small.grad is not None
    assert torch.isfinite(small.grad).all()


def test_excess_sees_specks_where_the_target_is_smooth_and_lets_texture_be() -> None:
    torch.manual_seed(0)
    loss = WeightedLoss((ExcessConfig(),))
    target = torch.full((2, 3, 48, 48), 0.5)
    target[..., 24:] += 0.3 * torch.rand(2, 3, 48, 24)  # texture beside a smooth half
    assert loss(target, target)[0] == 0
    moved = torch.cat([target[..., :24], target[..., 24:].flip(2)], 3)
    specks = target.clone()
    specks[..., ::6, :20:6] += 0.05
    specks.requires_grad_()
    before = loss(specks, target)[0]
    assert before > 2 * loss(moved, target)[0]  # six times as strong a texture
    before.backward()
    assert specks.grad is not None
    assert specks.grad[..., :20].abs().max() > 0
    assert loss((specks - 5 * specks.grad).detach(), target)[0] < before


def test_excess_allows_for_detail_as_far_as_its_reach() -> None:
    target, output = torch.zeros(2, 1, 3, 31, 31)
    target[..., 15] = 1.0
    output[..., 18] = 1.0
    losses = [WeightedLoss((ExcessConfig(reach=n),))(output, target)[0] for n in (1, 2, 3)]
    # A line's Laplacian is 2, and 1 beside it.
    assert losses[0] > losses[1] > losses[2] == 0


def test_excess_at_borders_and_of_one_pixel() -> None:
    loss = WeightedLoss((ExcessConfig(reach=0),))
    assert loss(torch.rand(1, 3, 1, 1), torch.rand(1, 3, 1, 1))[0] == 0
    ramp = torch.linspace(0, 1, 8).expand(1, 3, 8, 8)
    # Where a ramp ends, the repeated border bends it by one step.
    assert loss(ramp, torch.zeros_like(ramp))[0] == pytest.approx(2 / 7 / 8)
