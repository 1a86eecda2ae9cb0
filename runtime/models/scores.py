"""The quality that a model was measured to have, kept in its file.

`framelift bench quality --record` writes the scores that it has just measured into the metadata of
the model that it measured, with the digest of the graph (`digest.py`). Scores beside another
graph are not shown: they were taken over from a file, or the network was changed since.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Required, TypedDict, TypeGuard

from ...common.files import atomic_output
from .digest import PREFIX, graph_sha256
from .file import load

if TYPE_CHECKING:
    import onnx

    from .file import ModelSpec

KEY = "scores"


class SetScores(TypedDict, total=False):
    """Means over one image set, and what they were measured with; old files lack some of it."""

    images: int
    """Number of images."""
    images_sha256: str
    psnr_db: Required[float]
    ssim: Required[float]
    feature_distance: float
    """Distance of VGG-16 features at relu2_2."""
    vgg: str
    """Name of the file of these weights."""
    measured_on: str
    """Backend and device."""
    measured_with: str
    """Framelift and its version."""
    date: str


Scores = dict[str, SetScores]


def recorded_scores(spec: ModelSpec, model: onnx.ModelProto) -> Scores:
    """Scores by the name of the image set, none if nothing was recorded for this very network."""
    return _of_graph(spec.metadata, graph_sha256(model))


def record_scores(path: str | Path, measured: Scores) -> None:
    """Add scores of the model at `path` to its metadata; sets measured before stay.

    Raises ModelError or OutputError.
    """
    import onnx

    spec, model = load(path)
    digest = graph_sha256(model)
    record = {"graph_sha256": digest, "sets": {**_of_graph(spec.metadata, digest), **measured}}
    entries = {entry.key: entry.value for entry in model.metadata_props}
    entries[PREFIX + KEY] = json.dumps(record, ensure_ascii=False)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, entries)
    file = Path(os.path.realpath(path))  # a link stays one
    with atomic_output(file, overwrite=True) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))
        shutil.copymode(file, temporary)


def _of_graph(metadata: dict[str, str], digest: str) -> Scores:
    try:
        record = json.loads(metadata.get(KEY, "{}"))
    except (ValueError, RecursionError):  # numbers of thousands of digits, brackets without end
        return {}
    if not isinstance(record, dict) or record.get("graph_sha256") != digest:
        return {}
    sets = record.get("sets")
    if not isinstance(sets, dict):
        return {}
    return {name: entry for name, entry in sets.items() if _is_whole(entry)}


def _is_whole(entry: object) -> TypeGuard[SetScores]:
    return isinstance(entry, dict) and all(
        isinstance(entry.get(key), int | float) for key in ("psnr_db", "ssim")
    )
