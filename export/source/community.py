"""Community super-resolution models (.pth, .safetensors) through spandrel."""

from __future__ import annotations

import copy
import math
import pickle
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file
from torch import nn
from torch.overrides import TorchFunctionMode

from ...common.errors import CheckpointError, MissingDependencyError
from ...common.text import one_line
from .network import Source
from .state_dict import find_weights, shown_keys, unmerged_span

if TYPE_CHECKING:
    from spandrel import ModelDescriptor

_SORTING = ("ATD",)
"""Architectures whose picture depends on the order in which equal values are sorted."""


def load_community(path: Path) -> Source:
    """Read a community checkpoint; only tensors are unpickled, never code.

    Raises CheckpointError if it is damaged, of an architecture that spandrel does not know, or of
    a network that is no RGB super-resolution; MissingDependencyError without spandrel.
    """
    try:
        from spandrel import ImageModelDescriptor
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"checkpoint {path}: not made by framelift; community models need spandrel: "
            "pip install 'framelift[community]'"
        ) from error
    found, weights = _recognised(path, _read_tensors(path))
    if not isinstance(found, ImageModelDescriptor) or found.purpose not in ("SR", "FaceSR"):
        raise CheckpointError(
            f"checkpoint {path}: {found.architecture.name} is not a super-resolution network"
        )
    if (found.input_channels, found.output_channels) != (3, 3):
        raise CheckpointError(
            f"checkpoint {path}: takes {found.input_channels} channels and gives "
            f"{found.output_channels}; only RGB to RGB can be exported"
        )
    network: nn.Module = found.model.eval()
    size = found.size_requirements
    if size.square:
        raise CheckpointError(f"checkpoint {path}: takes only square images; video frames are not")
    return Source(
        network=_StableSorts(network) if found.architecture.id in _SORTING else network,
        deployed=_settled(network),
        scale=found.scale,
        size_multiple=math.lcm(size.multiple_of, _window(network)),
        minimum=max(1, size.minimum),
        halo=None,
        description={"name": found.architecture.id, "tags": list(found.tags)},
        weights=weights,
        # Networks of windows compute the batch from the number of windows, which is baked in.
        batch=1 if _window(network) > 1 else None,
    )


def _recognised(
    path: Path, candidates: list[dict[str, torch.Tensor]]
) -> tuple[ModelDescriptor[Any], dict[str, torch.Tensor]]:
    """The network that spandrel recognises by the names and shapes of its tensors, and these."""
    from spandrel import ModelLoader, UnsupportedModelError

    for weights in candidates:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about what PyTorch will change some day
                return ModelLoader("cpu").load_from_state_dict(unmerged_span(weights)), weights
        except UnsupportedModelError:
            continue
        except (RuntimeError, ValueError, KeyError, IndexError, TypeError, AssertionError) as error:
            raise CheckpointError(
                f"checkpoint {path}: its tensors do not fit their network ({one_line(error, 160)})"
            ) from error
    raise CheckpointError(
        f"checkpoint {path}: its tensors fit no network that is known here (framelift's own or "
        f"one of spandrel's); it contains {shown_keys(candidates[0])}"
    )


def _read_tensors(path: Path) -> list[dict[str, torch.Tensor]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old pickle protocols
            if path.suffix.lower() == ".safetensors":
                read: Any = load_file(path, device="cpu")
            else:
                read = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"checkpoint {path}: contains more than tensors, or is not a checkpoint; pickled "
            "code is "
            "never executed: save its state_dict alone"
        ) from error
    except Exception as error:  # what damaged bytes provoke in the readers is of any type
        raise CheckpointError(
            f"checkpoint {path}: cannot be read, is damaged or not a checkpoint "
            f"({type(error).__name__}: {one_line(error, 160)})"
        ) from error
    try:
        return find_weights(read)
    except ValueError as error:
        raise CheckpointError(f"checkpoint {path}: {error}") from error


class _StableSorts(nn.Module):
    """A network whose sorts keep the order of equal values, which PyTorch leaves open.

    ATD sorts pixels by category, then lets groups of neighbours look at each other: its picture
    depends on that order. What is exported keeps it, so what it is compared with must, too.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with _StableSortMode():
            output: torch.Tensor = self.network(x)
        return output


class _StableSortMode(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - what the function gives
        kwargs = {**(kwargs or {})}
        if func is torch.sort:
            kwargs["stable"] = True
        return func(*args, **kwargs)


def _window(network: nn.Module) -> int:
    """What sides must be multiples of so that windows of attention fill the frame.

    The networks fill it up themselves, by an amount that differs from size to size; what is
    exported takes frames that need none.
    """
    sides = [1]
    for module in network.modules():
        for name in ("window_size", "split_size"):
            value = getattr(module, name, 1)
            sides += value if isinstance(value, (list, tuple)) else [value]
    return math.lcm(*(side for side in sides if isinstance(side, int) and side > 0))


def _settled(network: nn.Module) -> nn.Module:
    """A copy that only computes: SPAN's blocks write merged weights during every forward."""
    settled = copy.deepcopy(network)
    for module in settled.modules():
        merge = getattr(module, "update_params", None)
        if callable(merge):
            merge()
            module.__dict__["update_params"] = _nothing
    for parameter in settled.parameters():
        parameter.requires_grad_(False)
    return settled


def _nothing() -> None:
    pass
