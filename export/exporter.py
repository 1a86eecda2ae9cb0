"""Checkpoint to a validated, self-describing ONNX file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec
import onnx
import torch
from torch import Tensor

from ..imaging.errors import ExportError, OutputError
from ..runtime.atomic import atomic_output, check_target
from ..runtime.model_file import FORMAT
from ..train.checkpoint import Checkpoint, load_checkpoint
from ..train.networks import SRNetwork
from .contract import apply_frame_contract
from .opset import DEFAULT, check_opset
from .parity import Parity, require_parity
from .torch_export import export_core


@dataclass(frozen=True)
class Exported:
    """A written model and what was checked about it."""

    path: Path
    opset: int
    parameters: int
    parity: list[Parity]


def export_checkpoint(
    source: Path, target: Path, opset: int = DEFAULT, licence: str = "", overwrite: bool = False
) -> Exported:
    """Export the checkpoint `source` to the contract-2 model `target`.

    The model passes ONNX's full check and the parity gate before anything is written. Raises
    CheckpointError, ExportError or OutputError.
    """
    check_opset(opset)
    if target.suffix != ".onnx":
        raise OutputError(f"{target}: the name of a model must end in .onnx")
    check_target(target, overwrite=overwrite)
    checkpoint = load_checkpoint(source)
    network = checkpoint.network()
    deployed = network.deploy()
    model = apply_frame_contract(export_core(deployed, opset))
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"ONNX's checker refuses the model: {error}") from error
    parity = require_parity(network, model)
    parameters = sum(parameter.numel() for parameter in deployed.parameters())
    metadata = describe(checkpoint, network, target.stem, opset, parameters, parity, licence)
    onnx.helper.set_model_props(model, metadata)
    with atomic_output(target, overwrite=overwrite) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))
    return Exported(target, opset, parameters, parity)


def describe(
    checkpoint: Checkpoint,
    network: SRNetwork,
    name: str,
    opset: int,
    parameters: int,
    parity: list[Parity],
    licence: str,
) -> dict[str, str]:
    """The `framelift.` metadata of contract 2."""
    config = msgspec.to_builtins(checkpoint.network_config)
    tools = {tool: version(tool) for tool in ("framelift", "torch", "onnx", "onnxscript")}
    return {
        "framelift.format": str(FORMAT),
        "framelift.name": name,
        "framelift.task": "super-resolution",
        "framelift.scale": str(network.scale),
        "framelift.size_multiple": str(network.size_multiple),
        "framelift.halo": str(network.halo),
        "framelift.precision": "fp32",
        "framelift.opset": str(opset),
        "framelift.network": json.dumps({**config, "parameters": parameters}),
        "framelift.training": json.dumps(checkpoint.training),
        "framelift.weights_sha256": weights_sha256(checkpoint.weights),
        "framelift.parity": json.dumps({case.label(): case.record() for case in parity}),
        "framelift.created_with": json.dumps(tools),
        "framelift.licence": licence,
    }


def weights_sha256(weights: dict[str, Tensor]) -> str:
    """sha256 over names, shapes and values of the weights, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().to("cpu", torch.float32).contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
