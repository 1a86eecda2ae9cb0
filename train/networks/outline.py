"""What a network would be, without building it: so that a file's header cannot ask for more memory
or time than the file is worth.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from . import (
    CompactConfig,
    JohnsonConfig,
    NetworkConfig,
    RealtimeConfig,
    StyleConfig,
    build_network,
)


def outline(config: NetworkConfig) -> dict[str, Tensor]:
    """The network's state dict with shapes and types, but no numbers and no memory.

    It still takes time in proportion to `depth_of(config)`. Raises ValueError for sizes beyond what
    can be counted.
    """
    try:
        with torch.device("meta"), _NothingDrawn():
            return build_network(config).state_dict()
    except (RuntimeError, TypeError, OverflowError, MemoryError) as error:
        raise ValueError(f"{config} is larger than any memory") from error


def depth_of(config: NetworkConfig) -> int:
    """How many times a network's repeated part is there; each has a tensor of its own."""
    match config:
        case RealtimeConfig(layers=depth) | CompactConfig(num_conv=depth):
            return depth
        case JohnsonConfig(blocks=depth) | StyleConfig(blocks=depth):
            return depth


def named_by(tensors: Collection[str]) -> str | None:
    """The network of this project whose tensors have such names; None if no network has.

    Those of `compact` are the community's; `johnson` and `style` have the same.
    """
    if {"body.0.direct", "head.project"} <= set(tensors):
        return "realtime"
    if any(re.fullmatch(r"net\.\d+\.body\.\d+\.weight", name) for name in tensors):
        return "johnson or style"
    return None


class _NothingDrawn(TorchFunctionMode):
    """No random numbers for tensors without memory: PyTorch would load itself for seconds."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Collection[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever `func` returns
        if func in (Tensor.normal_, Tensor.uniform_):
            return args[0]
        return func(*args, **(kwargs or {}))
