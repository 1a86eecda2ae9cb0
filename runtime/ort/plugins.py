"""ONNX Runtime's plug-ins: providers in packages of their own, registered when they are used.

Unlike onnxruntime-gpu they lie beside the plain onnxruntime, and several fit into one environment.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...common.errors import BackendError, cannot_run
from ..machine.nvidia import driver_advice
from .library import engine_problem, installed_engines, load_onnxruntime

# Plug-ins released since ask for the interface of at least this one; 1.26 refuses newer plug-ins.
_LEAST_ONNXRUNTIME = (1, 27)

# What ONNX Runtime lists: an OrtEpDevice; it states no types.
Device = Any


@dataclass(frozen=True)
class Plugin:
    """A provider in a package of its own.

    `library` is its file without what the system puts around it; `first` are patterns of files
    beside it that it needs and would look for elsewhere, in the order in which they are loaded.
    """

    extra: str
    package: str
    distribution: str
    provider: str
    library: str
    first: tuple[str, ...] = ()

    @property
    def install(self) -> str:
        """The command that installs it."""
        return f'`pip install "framelift[{self.extra}]"`'


def plugin_problem(plugin: Plugin) -> str | None:
    """Why a plug-in cannot be registered, found without loading anything; None if nothing is seen.

    What it lists then is another question.
    """
    if _folder(plugin) is None:
        return f"{plugin.distribution} is not installed: run {plugin.install}"
    problem = engine_problem()
    if problem is not None:
        return str(problem)
    name, version = next(iter(installed_engines().items()), ("onnxruntime", ""))
    if version and _numbers(version) < _LEAST_ONNXRUNTIME:
        least = ".".join(map(str, _LEAST_ONNXRUNTIME))
        return (
            f"{plugin.distribution} needs {name} {least} or newer, {version} is installed: run "
            f'`pip install --upgrade "{name}>={least}"`'
        )
    if not library_file(plugin).is_file():
        return (
            f"{plugin.distribution} lacks {library_file(plugin).name}: run "
            f"`pip install --force-reinstall {plugin.distribution}`"
        )
    return None


def is_installed(plugin: Plugin) -> bool:
    """Whether its package is there."""
    return _folder(plugin) is not None


def plugin_version(plugin: Plugin) -> str | None:
    """The version of its package, or None where it is not installed."""
    import importlib.metadata

    try:
        return importlib.metadata.version(plugin.distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


_registering = threading.Lock()
_registered: set[str] = set()


def devices(plugin: Plugin) -> list[Device]:
    """The devices that a plug-in lists on this machine, in the order of the system; [] for none.

    It is registered at the first call, for as long as the process lives. Loading the libraries
    behind it may end the process when they are broken.

    Raises:
        BackendError: it is not installed, or it or what it needs cannot be loaded.
        MissingDependencyError: ONNX Runtime is not installed.
    """
    ort = load_onnxruntime()
    problem = plugin_problem(plugin)
    if problem is not None:
        raise BackendError(problem)
    with _registering:
        if plugin.provider not in _registered and not _listed(ort, plugin):
            _register(ort, plugin)
        _registered.add(plugin.provider)
    return _listed(ort, plugin)


def usable_devices(plugin: Plugin, backend: str, problem: str | None) -> list[Device]:
    """`devices` for a backend that has that problem, or none.

    Raises BackendError: the backend cannot run here.
    """
    if problem is not None:
        raise cannot_run(backend, problem)
    try:
        return devices(plugin)
    except BackendError as error:
        raise cannot_run(backend, error) from error


def _register(ort: Any, plugin: Plugin) -> None:  # noqa: ANN401 - onnxruntime states no types
    library = library_file(plugin)
    try:
        _preload(plugin, library.parent)
        # NVIDIA's plug-in calls its provider what it is registered as; others do not mind.
        ort.register_execution_provider_library(plugin.provider, str(library))
    except Exception as error:
        reason = load_failure(str(error))
        raise BackendError(f"{reason}{driver_advice(reason)}") from error


def load_failure(message: str) -> str:
    """What ONNX Runtime says when it cannot load a plug-in, without where it was and its codes."""
    line = next(iter(message.strip().splitlines()), "it cannot be loaded")
    found = re.search(r"with error: (.+)$", line) or re.search(r" : [A-Z_]+ : (.+)$", line)
    return (found[1] if found else line).strip()


def _preload(plugin: Plugin, folder: Path) -> None:
    """Load what the plug-in needs from beside it, which no loader path names.

    For itself only: these libraries have the names of TensorRT's own functions, which must not
    replace those of a TensorRT in the same process.
    """
    if sys.platform == "win32":
        os.add_dll_directory(str(folder))
    for pattern in plugin.first:
        for path in sorted(folder.glob(pattern))[-1:]:
            ctypes.CDLL(str(path), mode=ctypes.RTLD_LOCAL)


def _listed(ort: Any, plugin: Plugin) -> list[Device]:  # noqa: ANN401
    return [device for device in ort.get_ep_devices() if device.ep_name == plugin.provider]


def library_file(plugin: Plugin) -> Path:
    """The plug-in's file, whether or not it is there."""
    forms = {"win32": "{}.dll", "darwin": "lib{}.dylib"}
    name = forms.get(sys.platform, "lib{}.so").format(plugin.library)
    return (_folder(plugin) or Path("/nonexistent")) / name


def _folder(plugin: Plugin) -> Path | None:
    spec = importlib.util.find_spec(plugin.package)
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0]).absolute() if places else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
