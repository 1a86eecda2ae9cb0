"""Plug-ins of ONNX Runtime: what is said when one is missing, too new or cannot be loaded."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from framelift.common.errors import BackendError
from framelift.runtime.ort import plugins
from framelift.runtime.ort.plugins import Plugin, devices, load_failure, plugin_problem

PLUGIN = Plugin(
    extra="some",
    package="some_plugin",
    distribution="some-plugin",
    provider="SomeExecutionProvider",
    library="some_provider",
)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an installed plug-in, without its library."""
    folder = tmp_path / "some_plugin"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    return folder


def test_a_plugin_that_is_not_installed() -> None:
    reason = 'some-plugin is not installed: run `pip install "framelift[some]"`'
    assert plugin_problem(PLUGIN) == reason
    with pytest.raises(BackendError) as caught:
        devices(PLUGIN)
    assert str(caught.value) == reason


def test_an_installation_without_its_library(package: Path) -> None:
    assert plugin_problem(PLUGIN) == (
        "some-plugin lacks libsome_provider.so: run `pip install --force-reinstall some-plugin`"
    )


@pytest.mark.parametrize(
    ("system", "name"),
    [
        ("linux", "libsome_provider.so"),
        ("darwin", "libsome_provider.dylib"),
        ("win32", "some_provider.dll"),
    ],
)
def test_each_system_has_its_own_file(
    package: Path, monkeypatch: pytest.MonkeyPatch, system: str, name: str
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    (package / name).touch()
    assert plugin_problem(PLUGIN) is None


@pytest.mark.parametrize("engine", ["onnxruntime", "onnxruntime-gpu"])
def test_an_onnxruntime_that_is_too_old(
    package: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setattr(plugins, "installed_engines", lambda: {engine: "1.26.0"})
    assert plugin_problem(PLUGIN) == (
        f"some-plugin needs {engine} 1.27 or newer, 1.26.0 is installed: run "
        f'`pip install --upgrade "{engine}>=1.27"`'
    )


def test_a_library_that_is_none_is_one_line(package: Path) -> None:
    """What ONNX Runtime itself says of it."""
    (package / "libsome_provider.so").write_bytes(b"not a library")
    with pytest.raises(BackendError, match=r"^\S*libsome_provider\.so: (file too short|invalid)"):
        devices(PLUGIN)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            "[ONNXRuntimeError] : 1 : FAIL : Failed to load library /x/y.so with error: "
            "libcuda.so.1: cannot open shared object file: No such file or directory",
            "libcuda.so.1: cannot open shared object file: No such file or directory",
        ),
        (
            '[ONNXRuntimeError] : 1 : FAIL : ORT runtime version "1.23.2" is below the minimum',
            'ORT runtime version "1.23.2" is below the minimum',
        ),
        ("something else\nstack", "something else"),
        ("", "it cannot be loaded"),
    ],
)
def test_errors_without_codes_and_places(message: str, reason: str) -> None:
    assert load_failure(message) == reason
