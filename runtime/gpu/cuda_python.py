"""Whether cuda-python is installed and can be loaded."""

from __future__ import annotations

import importlib
import importlib.util

from ...common.text import one_line


def has_cuda_python() -> bool:
    """Whether cuda-python is installed; it is not loaded."""
    try:
        return importlib.util.find_spec("cuda.bindings") is not None
    except ModuleNotFoundError:  # no package `cuda` at all
        return False


def cuda_python_problem() -> str | None:
    """Why cuda-python cannot be used, having tried to load it; None if it is loaded."""
    if not has_cuda_python():
        return "cuda-python is not installed: run `pip install 'cuda-python>=13'`"
    try:
        importlib.import_module("cuda.bindings.runtime")
    except (ImportError, OSError, RuntimeError) as error:
        return (
            f"cuda-python cannot be loaded ({one_line(error)}): run "
            "`pip install --force-reinstall 'cuda-python>=13'`"
        )
    return None
