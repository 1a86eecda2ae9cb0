"""What `models/index.json` lists for the page: the models beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from ..common.errors import ModelError
from ..common.notes import Say
from ..runtime.models.file import ModelSpec, load
from ..runtime.models.scores import Scores, recorded_scores
from ..runtime.models.zoo import default_uses, shipped_models

INDEX_FORMAT = 1

_INT8 = "-int8"
_PSNR_SET = "Set5"


class Psnr(TypedDict):
    """Y-PSNR on an image set."""

    set: str
    db: float


# The keys are those of the page's TypeScript.
class Entry(TypedDict):
    name: str
    file: str
    bytes: int
    task: str
    scale: int
    halo: int
    sizeMultiple: int
    minimumSide: int
    precision: str
    parameters: int
    activationBytes: int
    psnr: Psnr | None


"""One file."""


class Listed(Entry):
    """A model: the file of its network in float, with the one in int8 inside."""

    int8: Entry | None
    defaultFor: list[str]


class Index(TypedDict):
    """The whole document."""

    format: int
    models: list[Listed]


def model_index(models: dict[str, Path], say: Say) -> Index:
    """What `models/index.json` holds. A model that the page cannot run is left out with a line.

    An int8 model is listed inside the one that it was made of, if that is there: the page runs it
    where WebAssembly does the work.
    """
    entries: dict[str, Entry] = {}
    for name, path in models.items():
        try:
            spec, model = load(path)
            _require_runnable(spec)
        except ModelError as error:
            say(f"{path.name} is left out of the page: {error}")
            continue
        entries[name] = _entry(name, path, spec, recorded_scores(spec, model))
    uses = default_uses(on_cpu=False) if models == shipped_models() else {}
    listed: list[Listed] = []
    for name, entry in entries.items():
        if name.endswith(_INT8) and name.removesuffix(_INT8) in entries:
            continue
        int8 = entries.get(name + _INT8)
        listed.append({**entry, "int8": int8, "defaultFor": uses.get(name, [])})
    return {"format": INDEX_FORMAT, "models": listed}


def _require_runnable(spec: ModelSpec) -> None:
    """Raises ModelError for what a browser is not given."""
    if spec.window > 1:
        raise ModelError("it takes several frames; `framelift upscale` runs it")
    if spec.depth != 8:
        raise ModelError("it takes uint16 frames; export it without --depth 16")
    if any(spec.frame_shape):
        raise ModelError("it has a fixed size; export it with dynamic sizes")


def _entry(name: str, path: Path, spec: ModelSpec, scores: Scores) -> Entry:
    return {
        "name": name,
        "file": f"{name}.onnx",
        "bytes": path.stat().st_size,
        "task": spec.task,
        "scale": spec.scale,
        "halo": spec.halo,
        "sizeMultiple": spec.size_multiple,
        "minimumSide": spec.minimum_side,
        "precision": spec.precision,
        "parameters": spec.parameters,
        "activationBytes": spec.activation_bytes,
        "psnr": _psnr(scores),
    }


def _psnr(scores: Scores) -> Psnr | None:
    if _PSNR_SET not in scores:
        return None
    return {"set": _PSNR_SET, "db": scores[_PSNR_SET]["psnr_db"]}
