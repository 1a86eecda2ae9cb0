"""Fixtures that every test folder uses."""

from __future__ import annotations

import os
import platform
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from framelift.runtime.machine.nvidia import gpu_problem

from .support import simulated_gpu as _simulated_gpu
from .support import simulated_ort as _simulated_ort
from .support import tiny_models as _tiny_models
from .support.waiting import wait_until

# Tests import ONNX Runtime themselves, too; see `framelift.runtime.ort.library`.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["FRAMELIFT_CONFIG"] = ""  # not the defaults of who runs them

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True, scope="session")
def _cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Not that of who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRAMELIFT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Every test draws the same random tensors in every run, alone or after others."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(autouse=True)
def _threads_end() -> Iterator[None]:
    """No test leaves a thread of ours behind, as one that is stuck would be.

    The command line ends the process at once where it finds one: all tests of it, here.
    """
    yield
    wait_until(lambda: not _our_threads(), "the end of all threads that a test started")


def _our_threads() -> list[str]:
    names = (thread.name for thread in threading.enumerate())
    return [name for name in names if name.startswith("framelift")]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of training photos, evaluation sets and clips beside the repository, if there."""
    path = ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"evaluation and training data not found at {path}")
    return path.parent


@pytest.fixture(scope="session")
def tiny_models() -> ModuleType:
    """The module tests/support/tiny_models.py: builders of tiny valid framelift ONNX models."""
    return _tiny_models


@pytest.fixture(scope="session")
def simulated_gpu() -> ModuleType:
    """The module tests/support/simulated_gpu.py: stand-ins for cuda-python and TensorRT."""
    return _simulated_gpu


@pytest.fixture(scope="session")
def simulated_ort() -> ModuleType:
    """The module tests/support/simulated_ort.py: a stand-in for ONNX Runtime's GPU providers."""
    return _simulated_ort


@pytest.fixture(scope="session")
def shuffle_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A x4 model with random convolutions and the exporter's pixel-shuffle tail; halo 2."""
    path = tmp_path_factory.mktemp("models") / "tiny-shuffle.onnx"
    return _tiny_models.save(_tiny_models.pixel_shuffle_model(), path)


@pytest.fixture(scope="session")
def nearest_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A x4 model whose output is exactly nearest-neighbour upscaling; halo 0."""
    path = tmp_path_factory.mktemp("models") / "tiny-nearest.onnx"
    return _tiny_models.save(_tiny_models.nearest_model(), path)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests whose hardware or library is not there."""
    _skip_compile(items)
    _skip_gpu(items)


def _skip_compile(items: list[pytest.Item]) -> None:
    """Under Linux on x86-64 they run: the extra `dev` brings the library."""
    is_linux = platform.system() == "Linux" and platform.machine() == "x86_64"
    if is_linux and sys.version_info < (3, 15):
        return
    skip = pytest.mark.skip(reason="TensorRT for RTX is there for Linux on x86-64, Python < 3.15")
    for item in items:
        if "compile" in item.keywords:
            item.add_marker(skip)


def _skip_gpu(items: list[pytest.Item]) -> None:
    """`gpu` tests where there is no NVIDIA device, unless FRAMELIFT_REQUIRE_GPU=1."""
    problem = gpu_problem()
    if os.environ.get("FRAMELIFT_REQUIRE_GPU") == "1" or problem is None:
        return
    skip = pytest.mark.skip(reason=problem)
    for item in items:
        if item.get_closest_marker("gpu"):  # its keywords hold the names of folders, too
            item.add_marker(skip)
