"""Other ways to run the network of a framelift model, measured beside it.

Each takes uint8 BGR frames and gives uint8 BGR frames, so that all do the same work. A rival that
is no name of these is the path of another super-resolution model in ONNX.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...common.errors import BackendError, MissingDependencyError, cannot_run
from ...runtime.backends import onnx_cuda
from ...runtime.machine.nvidia import gpu_problem
from ..shared.settings import LatencySettings

if TYPE_CHECKING:
    from .base import Rival


@dataclass(frozen=True)
class _Kind:
    """The module here and what in it opens it, the packages that it needs and the command that
    installs them; `on_cuda`: it runs on an NVIDIA GPU."""

    place: str
    packages: tuple[str, ...]
    requirement: str
    on_cuda: bool = False

    def problem(self, name: str) -> MissingDependencyError | BackendError | None:
        """Why it cannot run on this machine, as far as is cheap to say; None if it can."""
        absent = [package for package in self.packages if importlib.util.find_spec(package) is None]
        if absent:
            return MissingDependencyError(
                f"{name} needs {' and '.join(absent)}: pip install '{self.requirement}'"
            )
        reason = gpu_problem() if self.on_cuda else None
        if reason is None and name == "ort-cuda":
            reason = onnx_cuda.missing()
        return None if reason is None else cannot_run(name, reason)


_RIVALS = {
    "ort-numpy": _Kind("ort:OrtNumpy", ("onnxruntime",), "framelift[cpu]"),
    "ort-cuda": _Kind("ort:OrtCuda", ("onnxruntime",), "framelift[cuda]", on_cuda=True),
    "torch-eager": _Kind("torch_cpu:eager", ("torch",), "framelift[train]"),
    "torch-compile": _Kind("torch_cpu:compiled", ("torch",), "framelift[train]"),
    "torch-eager-cuda": _Kind("torch_cuda:eager", ("torch",), "framelift[train]", on_cuda=True),
    "torch-compile-cuda": _Kind(
        "torch_cuda:compiled", ("torch",), "framelift[train]", on_cuda=True
    ),
    "opencv-dnn": _Kind("opencv:OpencvDnn", ("cv2",), "framelift"),
    "openvino": _Kind("openvino:Openvino", ("openvino",), "openvino"),
    "ncnn": _Kind("ncnn:Ncnn", ("ncnn", "pnnx"), "ncnn pnnx"),
}
NAMES = tuple(_RIVALS)


def is_rival(name: str) -> bool:
    """Whether `name` is one of `NAMES` or the path of an .onnx file."""
    return name in _RIVALS or name.endswith(".onnx")


def installed() -> tuple[str, ...]:
    """Those of `NAMES` that can run here."""
    return tuple(name for name, kind in _RIVALS.items() if kind.problem(name) is None)


def open_rival(name: str, model: str | Path, case: LatencySettings) -> Rival:
    """Load `model` (for a path: that file instead) to take the case's frames.

    Raises MissingDependencyError, ModelError when the network cannot be taken out of the model,
    BackendError when the rival refuses it.
    """
    if name not in _RIVALS:
        from .foreign import ForeignModel

        return ForeignModel(Path(name), case)
    kind = _RIVALS[name]
    problem = kind.problem(name)
    if problem is not None:
        raise problem
    module, _, name = kind.place.partition(":")
    opened: Rival = getattr(importlib.import_module(f".{module}", __package__), name)(model, case)
    return opened
