"""The models that ship with framelift, found by name."""

from __future__ import annotations

import difflib
from pathlib import Path

from ..imaging.errors import ModelError

MODELS = Path(__file__).parent / "models"

DEFAULT_STYLE = "style-brush"
"""What `framelift stylize` runs when no model is named."""

# What runs when no model is named, by scale.
_DEFAULTS = {4: "realtime-small-x4"}


def shipped_models(folder: Path | None = None) -> dict[str, Path]:
    """Name to path of every shipped model, in alphabetical order."""
    return {path.stem: path for path in sorted((folder or MODELS).glob("*.onnx"))}


def default_model(scale: int = 4) -> str:
    """Name of the shipped model that is used when none is named.

    Raises:
        ModelError: no shipped model has this scale.
    """
    name = _DEFAULTS.get(scale)
    if name is None:
        scales = ", ".join(f"×{known}" for known in _DEFAULTS)
        raise ModelError(f"no shipped model upscales ×{scale}: there is {scales}")
    return name


def resolve(model: str | Path, folder: Path | None = None) -> Path:
    """The path of `model`, which is a path to an .onnx file or the name of a shipped model.

    A path need not exist if it looks like one; reading it then says that it is missing.

    Raises:
        ModelError: a name that is no file and no shipped model; near names are suggested.
    """
    path = Path(model)
    if path.suffix == ".onnx" or path.is_file() or len(path.parts) > 1:
        return path
    shipped = shipped_models(folder)
    if str(model) in shipped:
        return shipped[str(model)]
    if path.exists():
        return path
    near = difflib.get_close_matches(str(model), shipped, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    known = ", ".join(shipped) or "none"
    raise ModelError(
        f"{str(model)!r} is no file and no shipped model{hint}: shipped models are {known}"
    )
