"""TensorRT for RTX, NVIDIA's library that builds engines for GeForce cards on any machine.

Its Python bindings come without the library, which lies in the package of ONNX Runtime's plug-in.
Parsing and building need neither a GPU nor a driver; running an engine does.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import importlib.util
import platform
import re
import sys
from pathlib import Path

from ....common.errors import BackendError, ConfigError, MissingDependencyError
from ....common.text import one_line
from .library import Library

NAME = "TensorRT for RTX"
INSTALL = '`pip install "framelift[rtx]"`'

_BINDINGS = "tensorrt_rtx_bindings"
_BINDINGS_PACKAGE = "tensorrt-rtx-cu13-bindings"
_REPAIR = "`pip install --force-reinstall onnxruntime-ep-nv-tensorrt-rtx-cu13`"
# Packages that hold the library; the bindings look for the first one by themselves.
_HOLDERS = ("tensorrt_rtx_libs", "onnxruntime_ep_nv_tensorrt_rtx")
_LIBRARIES = ("libtensorrt_rtx.so", "libtensorrt_onnxparser_rtx.so")


GENERATIONS = {"turing": "SM75", "ampere": "SM86", "ada": "SM89", "blackwell": "SM120"}
"""NVIDIA's generations of cards, RTX 20 to 50, and the compute capability of each."""


def capability_of(gpu: str) -> str:
    """The compute capability that is meant by "ada", "SM89", "sm_89" or "8.9", as "SM89".

    Raises ConfigError if it is no such name. Whether engines can be built for it, the library says.
    """
    name = gpu.strip().lower()
    if name in GENERATIONS:
        return GENERATIONS[name]
    digits = re.fullmatch(r"(?:sm_?)?(\d{1,2})\.?(\d)", name)
    if digits is None:
        known = ", ".join(GENERATIONS)
        raise ConfigError(
            f"{gpu!r} is not a generation of GPUs: use {known}, or a compute "
            "capability such as SM89"
        )
    return f"SM{digits[1]}{digits[2]}"


def rtx_problem() -> BackendError | MissingDependencyError | None:
    """Why TensorRT for RTX cannot be used, found without loading it; None if nothing is seen."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        here = f"{sys.platform} on {platform.machine()}"
        return BackendError(f"{NAME}: engines are built under Linux on x86-64 only, not {here}")
    if importlib.util.find_spec(_BINDINGS) is None:
        return MissingDependencyError(f"{NAME} is not installed: run {INSTALL}")
    return None


def load_rtx() -> Library:
    """Load TensorRT for RTX.

    Raises:
        MissingDependencyError: its bindings are not installed.
        BackendError: the library that they need is missing, cannot be loaded, or is of another
            release.
    """
    problem = rtx_problem()
    if problem is not None:
        raise problem
    try:
        for path in _library_files():
            # Once loaded it is found by its soname, which the bindings ask for. The package holds
            # no file of that name.
            ctypes.CDLL(str(path))
        trt = importlib.import_module(_BINDINGS)
    except (ImportError, OSError) as error:
        raise BackendError(f"{NAME} cannot be loaded ({one_line(error)}): run {_REPAIR}") from error
    return Library(NAME, str(trt.__version__), trt, rtx=True)


def _library_files() -> list[Path]:
    """The library and its parser in a package; empty where the system has to have them.

    Raises BackendError if they are of another release than the bindings.
    """
    for holder in _HOLDERS:
        spec = importlib.util.find_spec(holder)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            found = [path for name in _LIBRARIES if (path := _newest(Path(folder), name))]
            if len(found) == len(_LIBRARIES):
                _check_release(found[0])
                return found
    return []


def _newest(folder: Path, name: str) -> Path | None:
    versions = {
        tuple(int(part) for part in match[1].split(".")): path
        for path in folder.glob(f"{name}.*")
        if (match := re.fullmatch(re.escape(name) + r"\.(\d+(?:\.\d+)+)", path.name))
    }
    return versions[max(versions)] if versions else None


def _check_release(library: Path) -> None:
    release = library.name.partition(".so.")[2]
    try:
        bindings = importlib.metadata.version(_BINDINGS_PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return  # installed by another name; the library refuses other bindings by itself
    if not f"{bindings}.".startswith(f"{release}."):
        raise BackendError(
            f"{NAME}: the library is of release {release} ({library}), its Python bindings are "
            f"{bindings}: run `pip install '{_BINDINGS_PACKAGE}=={release}.*'`"
        )
