from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

import pytest

from framelift.imaging.errors import BackendError, MissingDependencyError
from framelift.runtime import Upscaler
from framelift.runtime.backends.engine import engine_problem, installed_engines, load_onnxruntime


def test_installed_engine_loads() -> None:
    assert engine_problem() is None
    assert load_onnxruntime().__version__ in installed_engines().values()


def test_both_packages_installed(monkeypatch: pytest.MonkeyPatch, nearest_model_path: Path) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.0")
    for backend in ("auto", "onnx-cpu"):
        with pytest.raises(
            BackendError, match=r"both installed.*pip uninstall -y onnxruntime onnx"
        ):
            Upscaler.load(nearest_model_path, backend)


@pytest.mark.parametrize("backend", ["auto", "onnx-cpu", "onnx-cuda"])
def test_no_engine_installed(
    monkeypatch: pytest.MonkeyPatch, nearest_model_path: Path, backend: str
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, package=None: None if name == "onnxruntime" else find_spec(name, package),
    )
    with pytest.raises(MissingDependencyError, match=r'pip install "framelift\[cpu\]".*\[cuda\]'):
        Upscaler.load(nearest_model_path, backend)
