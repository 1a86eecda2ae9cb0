"""What an exported model says of itself."""

from __future__ import annotations

import json
from importlib.metadata import version

from ..runtime.models.metadata import FORMAT
from ..runtime.ort.library import load_onnxruntime
from .config import ExportConfig
from .parity.comparison import Parity
from .source.network import Source, weights_sha256


def describe(
    source: Source, config: ExportConfig, name: str, opset: int, halo: int, parity: list[Parity]
) -> dict[str, str]:
    """The `framelift.` metadata of contract 2."""
    tools = {tool: version(tool) for tool in ("framelift", "torch", "onnx", "onnxscript")}
    tools["onnxruntime"] = str(load_onnxruntime().__version__)  # of either of its packages
    return {
        "framelift.format": str(FORMAT),
        "framelift.name": name,
        "framelift.task": source.task,
        "framelift.scale": str(source.scale),
        "framelift.size_multiple": str(source.size_multiple),
        "framelift.minimum_side": str(source.minimum),
        "framelift.halo": str(halo),
        "framelift.precision": config.precision,
        "framelift.opset": str(opset),
        "framelift.targets": " ".join(config.readers),
        "framelift.network": json.dumps({**source.description, "parameters": source.parameters}),
        "framelift.training": json.dumps(source.training),
        "framelift.weights_sha256": weights_sha256(source.weights),
        "framelift.parity": _parity_json(parity),
        "framelift.created_with": json.dumps(tools),
        "framelift.licence": config.licence,
    }


def _parity_json(parity: list[Parity]) -> str:
    return json.dumps({case.label(): case.record() for case in parity})
