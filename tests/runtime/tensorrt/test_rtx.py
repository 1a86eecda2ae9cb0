"""Where TensorRT for RTX is found, what is said when it is not, and which GPUs have which name."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from framelift.common.errors import ConfigError
from framelift.runtime.tensorrt.bindings.rtx import capability_of, rtx_problem

LIBRARIES = ("libtensorrt_rtx.so", "libtensorrt_onnxparser_rtx.so")


def _load(site: Path) -> str:
    """What `load_rtx` says in a process that sees the packages in `site` first."""
    code = (
        "from framelift.common.errors import FrameliftError\n"
        "from framelift.runtime.tensorrt.bindings.rtx import load_rtx\n"
        "try: print('loaded', load_rtx())\n"
        "except FrameliftError as error: print(type(error).__name__, error)\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(site)},
    )
    return child.stdout.strip()


def _plugin(site: Path, release: str = "", data: bytes = b"") -> None:
    """Put a package of the plug-in's name into `site`, with libraries of a release, if any."""
    folder = site / "onnxruntime_ep_nv_tensorrt_rtx"
    folder.mkdir()
    (folder / "__init__.py").touch()
    for name in LIBRARIES if release else ():
        (folder / f"{name}.{release}").write_bytes(data)


@pytest.mark.compile
def test_the_library_is_found_in_the_plug_in(tmp_path: Path) -> None:
    assert _load(tmp_path) == "loaded TensorRT for RTX 1.7.1.116"


@pytest.mark.compile
def test_bindings_without_the_library(tmp_path: Path) -> None:
    _plugin(tmp_path)
    assert _load(tmp_path) == (
        "BackendError TensorRT for RTX cannot be loaded (libtensorrt_rtx.so.1: cannot open shared "
        "object file: No such file or directory): run "
        "`pip install --force-reinstall onnxruntime-ep-nv-tensorrt-rtx-cu13`"
    )


@pytest.mark.compile
def test_a_library_of_another_release(tmp_path: Path) -> None:
    _plugin(tmp_path, "1.7.10")
    said = _load(tmp_path)
    assert said.startswith("BackendError TensorRT for RTX: the library is of release 1.7.10 (")
    assert said.endswith("run `pip install 'tensorrt-rtx-cu13-bindings==1.7.10.*'`")


@pytest.mark.compile
def test_a_damaged_library(tmp_path: Path) -> None:
    _plugin(tmp_path, "1.7.1", b"no library at all")
    assert "libtensorrt_rtx.so.1.7.1: file too short): run `pip" in _load(tmp_path)


def test_without_the_bindings(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, package=None: (\n"
        "    None if name == 'tensorrt_rtx_bindings' else real(name, package)\n"
        ")\n"
    )
    if (sys.platform, platform.machine()) == ("linux", "x86_64"):
        assert _load(tmp_path) == (
            "MissingDependencyError TensorRT for RTX is not installed: run "
            '`pip install "framelift[rtx]"`'
        )
    else:
        assert "under Linux on x86-64 only" in _load(tmp_path)


@pytest.mark.parametrize(
    ("system", "machine"), [("linux", "aarch64"), ("win32", "AMD64"), ("darwin", "arm64")]
)
def test_where_no_package_is_there_none_is_advised(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert str(rtx_problem()) == (
        f"TensorRT for RTX: engines are built under Linux on x86-64 only, not {system} on {machine}"
    )


@pytest.mark.parametrize(
    ("name", "capability"),
    [
        ("turing", "SM75"),
        ("Ampere", "SM86"),
        ("ada", "SM89"),
        (" BLACKWELL ", "SM120"),
        ("sm80", "SM80"),
        ("SM_121", "SM121"),
        ("12.0", "SM120"),
        ("75", "SM75"),
    ],
)
def test_names_of_gpus(name: str, capability: str) -> None:
    assert capability_of(name) == capability


@pytest.mark.parametrize("name", ["", "hopper", "sm", "8.9.1", "RTX 4090", "SM1234"])
def test_names_of_no_gpu(name: str) -> None:
    with pytest.raises(
        ConfigError, match="is not a generation of GPUs: use turing, ampere, ada, bl"
    ):
        capability_of(name)
