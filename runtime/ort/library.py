"""Imports ONNX Runtime, or says what is wrong with its installation."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

from ...common.errors import BackendError, MissingDependencyError

# ONNX Runtime from 1.29 on keeps a device id and a database of events in the user's cache folder,
# and sends events to Microsoft. It reads this variable when it is imported; later is too late.
_NO_TELEMETRY = "ORT_DISABLE_TELEMETRY"

# All of these install the same `onnxruntime` folder and overwrite each other's files.
_DISTRIBUTIONS = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "onnxruntime-openvino",
    "onnxruntime-qnn",
    "onnxruntime-webgpu",
)

_INSTALL = (
    '`pip install "framelift[cpu]"`, or for a GPU framelift[rtx], framelift[cuda] or '
    "framelift[webgpu] (docs/backends.md says which)"
)


def installed_engines() -> dict[str, str]:
    """Name to version of the installed ONNX Runtime distributions.

    Of those in several folders of the path, the ones in the folder that is imported from.
    """
    import importlib.metadata  # it loads a fifth of what NumPy does

    spec = importlib.util.find_spec("onnxruntime")
    found: dict[str, str] = {}
    for name in _DISTRIBUTIONS:
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        file = Path(str(distribution.locate_file("onnxruntime/__init__.py")))
        if spec is None or spec.origin is None or _same(file, Path(spec.origin)):
            found[name] = distribution.version
    return found


def _same(file: Path, other: Path) -> bool:
    try:
        return file.samefile(other)
    except OSError:  # it is not there
        return False


def engine_problem() -> BackendError | MissingDependencyError | None:
    """Why ONNX Runtime cannot be used, found without importing it; None if it can."""
    spec = importlib.util.find_spec("onnxruntime")
    if spec is None:
        return MissingDependencyError(f"no inference engine is installed: run {_INSTALL}")
    if _may_be_several(spec.origin):
        *others, last = installed_engines() or [""]
        if others:
            return BackendError(
                f"{', '.join(others)} and {last} are installed and overwrite each other: run "
                f"`pip uninstall -y {' '.join([*others, last])}`, then {_INSTALL}"
            )
    return None


def _may_be_several(origin: str | None) -> bool:
    """Whether the folder that `onnxruntime` is imported from may hold several distributions of it.

    Their metadata lie beside it. Looking at the names takes a hundredth of the time of
    `installed_engines`, which says for sure.
    """
    if origin is None:
        return True
    wanted = {name.replace("-", "_") for name in _DISTRIBUTIONS}
    try:
        names = os.listdir(Path(origin).parents[1])
    except OSError:
        return True
    metadata = [name for name in names if name.endswith((".dist-info", ".egg-info"))]
    return sum(name.partition("-")[0].lower() in wanted for name in metadata) != 1


def load_onnxruntime() -> ModuleType:
    """Import and return `onnxruntime`, with its telemetry off in this process and its children.

    Raises:
        BackendError: several packages of ONNX Runtime are installed, or it fails to load.
        MissingDependencyError: it is not installed.
    """
    problem = engine_problem()
    if problem is not None:
        raise problem
    os.environ[_NO_TELEMETRY] = "1"
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendError(
            f"onnxruntime cannot be loaded ({error}): reinstall it with "
            "`pip install --force-reinstall onnxruntime`"
        ) from error
    onnxruntime.disable_telemetry_events()  # for a program that imported it before
    return onnxruntime  # type: ignore[no-any-return]
