"""Muon: what its update is, and what it is given."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from framelift.train.config.file import load_config
from framelift.train.config.schema import OptimizerConfig
from framelift.train.loop.muon import Muon, hidden_kernels, orthogonal
from framelift.train.loop.step import build_optimizers
from framelift.train.networks import build_network


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (16, 16), (1, 9)])
def test_update_has_nearly_the_singular_vectors_and_all_values_near_one(
    shape: tuple[int, int],
) -> None:
    torch.manual_seed(0)
    matrices = torch.randn(3, *shape)
    near = orthogonal(matrices)
    values = torch.linalg.svdvals(near)
    assert values.min() > 0.6
    assert values.max() < 1.3
    # The nearest semi-orthogonal matrix, U·Vᵀ: the two differ in singular values alone.
    u, _, vt = torch.linalg.svd(matrices, full_matrices=False)
    inner = (near * (u @ vt)).sum((1, 2)) / (near.norm(dim=(1, 2)) * (u @ vt).norm(dim=(1, 2)))
    assert inner.min() > 0.97


def test_zeros_stay_zeros() -> None:
    assert torch.equal(orthogonal(torch.zeros(2, 3, 4)), torch.zeros(2, 3, 4))


def test_step_does_not_depend_on_the_gradients_size_nor_on_what_shares_its_shape() -> None:
    torch.manual_seed(0)
    gradient = torch.randn(4, 2, 3, 3)
    alone, beside, other = (nn.Parameter(torch.zeros(4, 2, 3, 3)) for _ in range(3))
    alone.grad, beside.grad, other.grad = gradient, 100 * gradient, torch.randn(4, 2, 3, 3)
    Muon([alone], lr=0.1).step()
    Muon([other, beside], lr=0.1).step()
    torch.testing.assert_close(alone.detach(), beside.detach(), rtol=1e-4, atol=1e-6)
    assert torch.linalg.svdvals(alone.detach().flatten(1)) == pytest.approx(0.1, rel=0.35)


def test_bfloat16_gives_nearly_the_same_step() -> None:
    torch.manual_seed(0)
    gradient = torch.randn(8, 6, 3, 3)
    exact, half = (nn.Parameter(torch.zeros(8, 6, 3, 3)) for _ in range(2))
    exact.grad = half.grad = gradient
    Muon([exact], lr=0.1).step()
    Muon([half], lr=0.1, precision=torch.bfloat16).step()
    assert (half - exact).norm() < 0.05 * exact.norm()
    assert not torch.equal(half, exact)


@pytest.mark.parametrize(
    ("amp", "precision"),
    [("off", torch.float32), ("fp16", torch.float32), ("bf16", torch.bfloat16)],
)
def test_precision_follows_amp_but_not_to_float16(amp: str, precision: torch.dtype) -> None:
    network = build_network(load_config("realtime-nano-x4").network)
    muon, _ = build_optimizers(network, OptimizerConfig(name="muon"), amp)
    assert isinstance(muon, Muon)
    assert muon.precision == precision


def test_learns_what_plain_gradients_learn_slowly() -> None:
    """A matrix whose directions matter very differently."""
    torch.manual_seed(0)
    inputs = torch.randn(256, 12) * torch.logspace(0, -2, 12)
    wanted = torch.randn(12, 12)

    def loss_after(optimizer: type[torch.optim.Optimizer], lr: float) -> float:
        weight = nn.Parameter(torch.zeros(12, 12))
        made = optimizer([weight], lr=lr)  # type: ignore[call-arg]
        for _ in range(200):
            made.zero_grad()
            loss = (inputs @ (weight - wanted).T).square().mean()
            loss.backward()  # type: ignore[no-untyped-call]
            made.step()
        return float((weight.detach() - wanted).norm() / wanted.norm())

    assert loss_after(Muon, 0.05) < 0.5 * loss_after(torch.optim.SGD, 0.5)


@pytest.mark.parametrize(
    ("preset", "last"),
    [
        ("realtime-small-x4", "head."),
        ("compact-x4", "body.34."),
        ("johnson-x4", None),
        ("style", None),
    ],
)
def test_last_layer_norms_and_biases_are_left_to_adam(preset: str, last: str | None) -> None:
    network = build_network(load_config(preset, [], ["."]).network)
    hidden, others = hidden_kernels(network)
    names = {id(value): name for name, value in network.named_parameters()}
    assert len(hidden) + len(others) == len(names)
    assert all(value.ndim > 1 for value in hidden)
    kernels_left = [names[id(value)] for value in others if value.ndim > 1]
    assert kernels_left
    if last:
        assert all(name.startswith(last) for name in kernels_left)
    # All of one layer: the one whose outputs are the pixels.
    assert len({name.rpartition(".")[0] for name in kernels_left}) == 1
