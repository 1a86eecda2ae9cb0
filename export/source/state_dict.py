"""Finds the weights in what trainers save: nested, with prefixes, or of merged branches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

# Names under which weights are kept, the best first: averaged ones before those of the last step.
_HOLDERS = (
    "params_ema",
    "params-ema",
    "ema_state_dict",
    "ema_model",
    "model_ema",
    "ema",
    "params",
    "state_dict",
    "model_state_dict",
    "weights",
    "weight",
    "generator",
    "netG",
    "net_g",
    "network",
    "model",
    "net",
)
# Wrappers: DataParallel, torch.compile, Lightning's and the trainers' own.
_PREFIXES = ("module.", "_forward_module.", *(f"{name}." for name in _HOLDERS))
_COMPILED = "_orig_mod."
_SHOWN_KEYS = 4


def find_weights(read: object) -> list[dict[str, Tensor]]:
    """The named tensors of one network in what a file holds: as they are, and with ever fewer of
    the prefixes that wrappers give them, since a network may have such a name itself.

    Raises ValueError, naming the keys, if there are none or it is unclear which they are.
    """
    if not isinstance(read, Mapping):
        raise ValueError("holds no named tensors")
    nested = _unnested(read)
    weights = {key.replace(_COMPILED, ""): tensor for key, tensor in nested.items()}
    found = [weights]
    while (shorter := _without_prefix(found[-1])) is not None:
        found.append(shorter)
    return found


def unmerged_span(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """SPAN saved with its branches merged (`eval_conv` alone), with branches that merge to it.

    Other weights are given back as they are.
    """
    suffix = ".eval_conv.weight"
    merged = [key.removesuffix(suffix) for key in weights if key.endswith(suffix)]
    if not merged or any(f"{block}.sk.weight" in weights for block in merged):
        return weights
    whole = dict(weights)
    for block in merged:
        kernel, bias = weights[f"{block}{suffix}"], weights[f"{block}.eval_conv.bias"]
        whole |= {f"{block}.{name}": value for name, value in _branches(kernel, bias).items()}
    return whole


def shown_keys(keys: Mapping[str, Any]) -> str:
    """The first keys, for a message."""
    names = [repr(key) for key in list(keys)[:_SHOWN_KEYS]]
    more = len(keys) - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "") if names else "none"


def _unnested(read: Mapping[Any, Any]) -> dict[str, Tensor]:
    parts = {str(key): value for key, value in read.items() if isinstance(value, Mapping)}
    tensors = {str(key): value for key, value in read.items() if isinstance(value, Tensor)}
    for name in _HOLDERS:
        if name in parts:
            return _unnested(parts[name])
    if not tensors and len(parts) == 1:
        return _unnested(next(iter(parts.values())))
    if tensors:
        return tensors
    held = {str(key): value for key, value in read.items()}
    raise ValueError(f"contains no tensors under a key known for weights, but {shown_keys(held)}")


def _without_prefix(weights: dict[str, Tensor]) -> dict[str, Tensor] | None:
    """The weights that begin with a known prefix, without it; None if there is nothing to take off.

    Of several sets in one file, averaged and not, the better one.
    """
    for prefix in _PREFIXES:
        inside = {
            key.removeprefix(prefix): t for key, t in weights.items() if key.startswith(prefix)
        }
        others = [key for key in weights if not key.startswith(prefix)]
        # All of them, or one of several sets that each have a prefix of their own.
        if inside and all(key.startswith(_PREFIXES) for key in others):
            return inside
    return None


def _branches(kernel: Tensor, bias: Tensor) -> dict[str, Tensor]:
    """What SPAN's Conv3XC merges to this 3×3 convolution: one branch is it, the other nothing.

    The first passes through 1×1, 3×3 and 1×1 convolutions with twice the channels.
    """
    outputs, inputs = kernel.shape[:2]
    wide = torch.zeros(2 * outputs, 2 * inputs, 3, 3, dtype=kernel.dtype)
    wide[:outputs, :inputs] = kernel
    return {
        "sk.weight": torch.zeros(outputs, inputs, 1, 1, dtype=kernel.dtype),
        "sk.bias": torch.zeros(outputs, dtype=kernel.dtype),
        "conv.0.weight": torch.eye(2 * inputs, inputs, dtype=kernel.dtype)[:, :, None, None],
        "conv.0.bias": torch.zeros(2 * inputs, dtype=kernel.dtype),
        "conv.1.weight": wide,
        "conv.1.bias": torch.zeros(2 * outputs, dtype=kernel.dtype),
        "conv.2.weight": torch.eye(outputs, 2 * outputs, dtype=kernel.dtype)[:, :, None, None],
        "conv.2.bias": bias.clone(),
    }
