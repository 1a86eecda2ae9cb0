from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from framelift.common.errors import BackendError, MissingDependencyError
from framelift.runtime import Upscaler
from framelift.runtime.ort.library import engine_problem, installed_engines, load_onnxruntime


def test_installed_engine_loads() -> None:
    assert engine_problem() is None
    assert load_onnxruntime().__version__ in installed_engines().values()


@pytest.mark.parametrize("other", ["onnxruntime-gpu", "onnxruntime-webgpu"])
def test_packages_that_overwrite_each_other(
    monkeypatch: pytest.MonkeyPatch, nearest_model_path: Path, tmp_path: Path, other: str
) -> None:
    (tmp_path / "onnxruntime").mkdir()
    (tmp_path / "onnxruntime/__init__.py").touch()
    for name in ("onnxruntime", other):
        folder = tmp_path / f"{name.replace('-', '_')}-1.30.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.30.0\n")
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    for backend in ("auto", "onnx-cpu"):
        with pytest.raises(
            BackendError,
            match=rf"^onnxruntime and {other} are installed and overwrite each other: run "
            rf"`pip uninstall -y onnxruntime {other}`, then `pip install",
        ):
            Upscaler.load(nearest_model_path, backend)


def test_of_packages_in_two_folders_the_one_that_is_imported_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As where a folder of packages comes before those of the system."""
    installed = importlib.metadata.distribution

    class Elsewhere:
        version = "1.0"

        def locate_file(self, name: str) -> Path:
            return tmp_path / name

    def found(name: str) -> object:
        return Elsewhere() if name == "onnxruntime-gpu" else installed(name)

    (tmp_path / "onnxruntime").mkdir()
    (tmp_path / "onnxruntime/__init__.py").touch()
    monkeypatch.setattr(importlib.metadata, "distribution", found)
    assert list(installed_engines()) == ["onnxruntime"]
    assert engine_problem() is None


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


_MAIN = "from framelift.cli.main import main; main()"
_COMMANDS = {
    "library": (
        "import sys, numpy as np; from framelift.runtime import Upscaler; "
        "Upscaler.load(sys.argv[1])(np.zeros((8, 8, 3), np.uint8))",
        "MODEL",
    ),
    "check": (_MAIN, "check", "MODEL"),
    "latency": (
        _MAIN,
        "bench",
        "latency",
        "MODEL",
        "--size",
        "16x16",
        "--seconds",
        "0.1",
        "--no-fresh",
        "--no-roofline",
    ),
}


@pytest.mark.parametrize("kind", _COMMANDS)
def test_onnx_runtime_keeps_no_device_id_and_no_events(
    nearest_model_path: Path, tmp_path: Path, kind: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    # Continuous integration and ONNX Runtime's own tests are spared by themselves.
    spared = ("CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in spared}
    environment |= {"HOME": str(home), "TMPDIR": str(home), "FRAMELIFT_CACHE": str(tmp_path)}
    arguments = [part.replace("MODEL", str(nearest_model_path)) for part in _COMMANDS[kind]]
    command = [sys.executable, "-c", *arguments]
    child = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_telemetry_is_turned_off_where_onnx_runtime_is_imported_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import onnxruntime

    calls: list[str] = []
    monkeypatch.setattr(onnxruntime, "disable_telemetry_events", lambda: calls.append("off"))
    load_onnxruntime()
    assert calls == ["off"]


def test_only_one_module_imports_onnx_runtime() -> None:
    """Another one would turn its telemetry on."""
    root = Path(__file__).parents[3]
    folders = ("benchmarks", "cli", "export", "imaging", "models", "runtime", "train", "examples")
    found = [
        path.relative_to(root).as_posix()
        for folder in folders
        for path in (root / folder).rglob("*.py")
        if "import onnxruntime" in path.read_text(encoding="utf-8")
    ]
    assert found == ["runtime/ort/library.py"]
