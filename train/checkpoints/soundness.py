"""Whether numbers may be kept: those of a network's weights and of an optimiser's state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor


def first_not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """The name of a tensor that contains NaN or infinity; None if all numbers are finite."""
    floats = {name: value for name, value in tensors.items() if value.is_floating_point()}
    if not floats:
        return None
    # One wait for the device, and float8 has no `isfinite`.
    finite = torch.stack([_compared(value).isfinite().all() for value in floats.values()])
    return next((n for n, good in zip(floats, finite.tolist(), strict=True) if not good), None)


def tensors_in(state: object, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors inside nested dicts, lists and tuples, with the keys that lead to each."""
    if isinstance(state, Tensor):
        yield name, state
    elif isinstance(state, dict | list | tuple):
        pairs = state.items() if isinstance(state, dict) else enumerate(state)
        for key, value in pairs:
            yield from tensors_in(value, f"{name}.{key}" if name else str(key))


def _compared(value: Tensor) -> Tensor:
    return value if value.dtype.itemsize > 1 else value.float()
