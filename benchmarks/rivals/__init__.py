"""Other ways to run the network of a framelift model, measured beside it.

Each takes uint8 BGR frames and gives uint8 BGR frames, so that all do the same work. A rival that
is no name of these is the path of another super-resolution model in ONNX.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from ...imaging.errors import MissingDependencyError
from ..settings import LatencySettings

if TYPE_CHECKING:
    from .base import Rival

# Name to the module here, the packages that it needs and the command that installs them.
_RIVALS = {
    "ort-numpy": ("ort", ("onnxruntime",), "framelift[cpu]"),
    "torch-eager": ("torch_eager", ("torch",), "framelift[train]"),
    "torch-compile": ("torch_compile", ("torch",), "framelift[train]"),
    "opencv-dnn": ("opencv", ("cv2",), "framelift"),
    "openvino": ("openvino", ("openvino",), "openvino"),
    "ncnn": ("ncnn", ("ncnn", "pnnx"), "ncnn pnnx"),
}
NAMES = tuple(_RIVALS)


def is_rival(name: str) -> bool:
    """Whether `name` is one of `NAMES` or the path of an .onnx file."""
    return name in _RIVALS or name.endswith(".onnx")


def missing_packages(name: str) -> list[str]:
    """The packages that a rival of `NAMES` needs and that are not installed."""
    return [package for package in _RIVALS[name][1] if importlib.util.find_spec(package) is None]


def installed() -> tuple[str, ...]:
    """Those of `NAMES` that can run here."""
    return tuple(name for name in NAMES if not missing_packages(name))


def open_rival(name: str, model: str | Path, case: LatencySettings) -> Rival:
    """Load `model` (for a path: that file instead) to take the case's frames.

    Raises MissingDependencyError, ModelError when the network cannot be taken out of the model,
    BackendError when the rival refuses it.
    """
    if name not in _RIVALS:
        from .foreign import ForeignModel

        return ForeignModel(Path(name), case)
    module, _, requirement = _RIVALS[name]
    if absent := missing_packages(name):
        raise MissingDependencyError(
            f"{name} needs {' and '.join(absent)}: pip install '{requirement}'"
        )
    opened: Rival = importlib.import_module(f".{module}", __package__).load(model, case)
    return opened
