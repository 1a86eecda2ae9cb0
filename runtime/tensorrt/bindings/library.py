"""Whether TensorRT and cuda-python can be loaded, and what to do if not."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Any

from ....common.errors import BackendError, MissingDependencyError
from ....common.text import one_line
from ...gpu import cuda_python

INSTALL = '`pip install "framelift[tensorrt]"`'


@dataclass(frozen=True)
class Library:
    """TensorRT's Python bindings, loaded: those of TensorRT, or of TensorRT for RTX.

    `trt` is the module. The two have one API as far as it is used here, so that the same code
    builds engines with both.
    """

    name: str
    version: str
    trt: Any
    rtx: bool = False
    """Whether it is TensorRT for RTX: builds for a GPU of any machine and times nothing."""

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def network_flags(self) -> int:
        """What makes a network strongly typed. All but TensorRT 10 know nothing else."""
        if int(self.version.partition(".")[0]) == 10:
            return 1 << int(self.trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        return 0


def tensorrt_problem() -> BackendError | MissingDependencyError | None:
    """Why TensorRT cannot be used, found without loading its libraries; None if nothing is seen."""
    if importlib.util.find_spec("tensorrt") is None:
        if importlib.util.find_spec("tensorrt_bindings") is not None:
            return BackendError(
                "TensorRT's Python bindings are installed without TensorRT itself: run " + INSTALL
            )
        return MissingDependencyError(f"TensorRT is not installed: run {INSTALL}")
    if not cuda_python.has_cuda_python():
        return MissingDependencyError(f"cuda-python is not installed: run {INSTALL}")
    return None


def load_tensorrt() -> Library:
    """Load TensorRT and cuda-python, so that modules that import them can be imported.

    Raises:
        MissingDependencyError: one of them is not installed.
        BackendError: the bindings are there, but not the libraries that they need, or they are of
            a release that this code is not written for.
    """
    problem = tensorrt_problem()
    if problem is not None:
        raise problem
    try:
        trt = importlib.import_module("tensorrt")
        importlib.import_module("cuda.bindings.runtime")
    except (ImportError, OSError, RuntimeError) as error:
        raise BackendError(load_problem(error)) from error
    check_release(str(trt.__version__))
    return Library("TensorRT", str(trt.__version__), trt)


def load_problem(error: Exception) -> str:
    """One line for the user about an import that failed."""
    reason = one_line(error)
    if "cannot open shared object" in reason:
        library = reason.partition(":")[0]
        return (
            f"TensorRT cannot be loaded: the library {library} is missing; run {INSTALL}, or "
            "put the folder that holds it into LD_LIBRARY_PATH"
        )
    return f"TensorRT cannot be loaded ({reason}): run {INSTALL}"


def check_release(version: str) -> None:
    """Raise BackendError unless `version` is a TensorRT release that this code is written for."""
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    if not (major.isdecimal() and minor.isdecimal()):
        raise BackendError(f"TensorRT calls itself version {version!r}: run {INSTALL}")
    if (int(major), int(minor)) < (10, 16) or int(major) > 11:
        raise BackendError(
            f"TensorRT {version} is installed, 10.16 to 11.x are needed: run {INSTALL}"
        )
