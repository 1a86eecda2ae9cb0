"""The digest that shows whether a model's file is what was exported."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from ...common.errors import ModelError

if TYPE_CHECKING:
    import onnx

PREFIX = "framelift."
KEY = "graph_sha256"

# The metadata that decide what the runtime makes of the graph.
_DECISIVE = ("format", "halo", "minimum_side", "precision", "scale", "size_multiple", "task")
_DECISIVE_OF_SOME = ("depth", "lookahead", "window")


def graph_sha256(model: onnx.ModelProto) -> str:
    """sha256 of everything that the picture depends on: graph, weights, functions, opsets, and of
    the metadata those that say how the graph is run. Names, scores and licence are left out.
    """
    import onnx

    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    entries = {entry.key: entry.value for entry in bare.metadata_props}
    del bare.metadata_props[:]
    digest = hashlib.sha256(bare.SerializeToString(deterministic=True))
    of_some = [key for key in _DECISIVE_OF_SOME if PREFIX + key in entries]
    for key in (*_DECISIVE, *of_some):
        digest.update(f"\n{key}={entries.get(PREFIX + key)}".encode())
    return digest.hexdigest()


def seal(model: onnx.ModelProto) -> None:
    """Write the digest into the metadata of a model that is finished, in place."""
    import onnx

    entries = {entry.key: entry.value for entry in model.metadata_props}
    entries[PREFIX + KEY] = graph_sha256(model)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, entries)


def require_sealed(path: Path, model: onnx.ModelProto) -> None:
    """Raise ModelError if the model is not the one whose digest is in its metadata.

    A model without a digest is taken as it is: the first exports had none.
    """
    recorded = {entry.key: entry.value for entry in model.metadata_props}.get(PREFIX + KEY)
    if recorded is not None and recorded != graph_sha256(model):
        raise ModelError(
            f"{path} is damaged or was edited: its graph is not the one that was exported "
            f"({PREFIX}{KEY} differs); copy or export it again"
        )
