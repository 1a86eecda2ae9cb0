"""What an imported model says of itself."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version

import onnx
from onnx import numpy_helper

from ..runtime.models.digest import PREFIX
from ..runtime.models.metadata import ACTIVATION_BYTES, FORMAT, TEMPORAL_FORMAT
from ..runtime.ort.library import load_onnxruntime
from .inspection.foreign import Foreign, opset_of
from .outcome import Imported, ImportOptions


def metadata(
    foreign: Foreign, options: ImportOptions, imported: Imported, model: onnx.ModelProto
) -> dict[str, str]:
    """The `framelift.` metadata of contract 2."""
    made = imported.convention
    weights = hashlib.sha256()
    for tensor in sorted(foreign.model.graph.initializer, key=lambda tensor: tensor.name):
        weights.update(f"{tensor.name}{tuple(tensor.dims)}".encode())
        weights.update(numpy_helper.to_array(tensor).tobytes())
    network = {
        "name": "imported",
        "file": foreign.path.name,
        "producer": f"{foreign.model.producer_name} {foreign.model.producer_version}".strip(),
        "channels": made.order if made.channels > 1 else "grey",
        "given": made.given.name,
        "taken": made.taken.name,
        "read_as": imported.summary(),
    }
    tools = {tool: version(tool) for tool in ("framelift", "onnx")}
    tools["onnxruntime"] = str(load_onnxruntime().__version__)
    entries = {
        "format": str(FORMAT),
        "name": foreign.path.stem,
        "task": options.task,
        "scale": str(imported.scale),
        "size_multiple": str(imported.size_multiple),
        "minimum_side": str(imported.minimum_side),
        "halo": str(imported.halo),
        "precision": foreign.precision,
        "opset": str(opset_of(model)),
        "network": json.dumps(network),
        "weights_sha256": weights.hexdigest(),
        "parity": json.dumps({case.label(): case.record() for case in imported.parity}),
        "created_with": json.dumps(tools),
        "licence": options.licence,
    }
    if imported.peak is not None:
        entries["half_precision"] = json.dumps(imported.peak.record())
    if imported.activation_bytes is not None:
        entries[ACTIVATION_BYTES] = str(imported.activation_bytes)
    if imported.window > 1:
        entries["format"] = str(TEMPORAL_FORMAT)
        entries["window"], entries["lookahead"] = str(imported.window), str(imported.lookahead)
    return {f"{PREFIX}{key}": value for key, value in entries.items()}
