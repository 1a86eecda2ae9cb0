"""Community super-resolution models (.pth, .safetensors) through spandrel."""

from __future__ import annotations

import copy
import pickle
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from ..imaging.errors import CheckpointError, MissingDependencyError
from .source import Source
from .state_dict import find_weights, shown_keys, unmerged_span


def load_community(path: Path) -> Source:
    """Read a community checkpoint; only tensors are unpickled, never code.

    Raises CheckpointError if it is damaged, of an architecture that spandrel does not know, or of
    a network that is no RGB super-resolution; MissingDependencyError without spandrel.
    """
    try:
        from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"checkpoint {path}: not made by framelift; community models need spandrel: "
            "pip install 'framelift[community]'"
        ) from error
    candidates = _read_tensors(path)
    found = None
    for weights in candidates:
        try:
            found = ModelLoader("cpu").load_from_state_dict(unmerged_span(weights))
            break
        except UnsupportedModelError:
            continue
        except (RuntimeError, ValueError, KeyError, IndexError, TypeError, AssertionError) as error:
            raise CheckpointError(
                f"checkpoint {path}: its tensors do not fit their network ({_short(error)})"
            ) from error
    if found is None:
        raise CheckpointError(
            f"checkpoint {path}: its tensors fit no network that is known here (framelift's own or "
            f"one of spandrel's); it holds {shown_keys(candidates[0])}"
        )
    if not isinstance(found, ImageModelDescriptor) or found.purpose not in ("SR", "FaceSR"):
        raise CheckpointError(
            f"checkpoint {path}: {found.architecture.name} is no super-resolution network"
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
        network=network,
        deployed=_settled(network),
        scale=found.scale,
        size_multiple=size.multiple_of,
        minimum=max(1, size.minimum),
        halo=None,
        description={"name": found.architecture.id, "tags": list(found.tags)},
        weights=weights,
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
            f"checkpoint {path}: holds more than tensors, or is no checkpoint; pickled code is "
            "never executed: save its state_dict alone"
        ) from error
    except Exception as error:  # what damaged bytes provoke in the readers is of any type
        raise CheckpointError(
            f"checkpoint {path}: cannot be read, is damaged or no checkpoint "
            f"({type(error).__name__}: {_short(error)})"
        ) from error
    try:
        return find_weights(read)
    except ValueError as error:
        raise CheckpointError(f"checkpoint {path}: {error}") from error


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


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
