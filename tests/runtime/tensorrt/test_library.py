from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from framelift.common.errors import BackendError
from framelift.runtime.machine.nvidia import major_driver_version
from framelift.runtime.tensorrt.bindings.library import check_release, load_problem
from framelift.runtime.tensorrt.parse import ParserProblem, parser_message


def _require(site: Path) -> str:
    """What `load_tensorrt` says in a process that sees the packages in `site` first."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from framelift.common.errors import FrameliftError\n"
        "from framelift.runtime.tensorrt.bindings.library import load_tensorrt\n"
        "try: load_tensorrt()\n"
        "except FrameliftError as error: print(type(error).__name__, error)\n"
        "else: print('loaded')\n"
    )
    command = [sys.executable, "-c", code, str(site)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _install(site: Path, tensorrt: str) -> None:
    """Put a `tensorrt` of that source text, and an empty cuda-python, into `site`."""
    for name, code in (("tensorrt", tensorrt), ("cuda/bindings", "")):
        (site / name).mkdir(parents=True)
        (site / name / "__init__.py").write_text(code)
    (site / "cuda" / "bindings" / "runtime.py").write_text("")


@pytest.mark.skipif(find_spec("tensorrt") is not None, reason="TensorRT is installed")
def test_not_installed(tmp_path: Path) -> None:
    assert _require(tmp_path) == (
        'MissingDependencyError TensorRT is not installed: run `pip install "framelift[tensorrt]"`'
    )


def test_bindings_without_the_library(tmp_path: Path) -> None:
    # What the bindings' own wheels raise by themselves; tried with those of 10.16 and 11.4.
    missing = "libnvonnxparser.so.11: cannot open shared object file: No such file or directory"
    _install(tmp_path, f"raise ImportError({missing!r})")
    said = _require(tmp_path)
    assert said.startswith("BackendError TensorRT cannot be loaded: the library libnvonnxparser")
    assert said.endswith("into LD_LIBRARY_PATH")
    assert "\n" not in said


def test_a_release_that_is_too_old(tmp_path: Path) -> None:
    _install(tmp_path, "__version__ = '8.6.1'")
    assert _require(tmp_path).startswith("BackendError TensorRT 8.6.1 is installed, 10.16 to 11.x")


@pytest.mark.parametrize("version", ["10.16.1.11", "11.0.0", "11.4.0.106", "10.17"])
def test_releases_that_are_supported(version: str) -> None:
    check_release(version)


@pytest.mark.parametrize("version", ["10.15.9", "8.6.1", "12.0.0", "unknown", "11"])
def test_releases_that_are_not(version: str) -> None:
    with pytest.raises(BackendError, match=r"framelift\[tensorrt\]"):
        check_release(version)


def test_any_other_failure_to_load_is_one_line() -> None:
    assert load_problem(RuntimeError("boom\nstack")).startswith(
        "TensorRT cannot be loaded (boom stack): run "
    )


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  590.48.01  Mon Dec  8", "590"),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  595.12  Release Build\n"
            "GCC version:  gcc version 13.3.0 (Ubuntu 13.3.0-6ubuntu2~24.04)",
            "595",
        ),
        ("GCC version:  gcc version 13.3.0", None),
        ("", None),
    ],
)
def test_driver_version(text: str, major: str | None) -> None:
    assert major_driver_version(text) == major


def _problem(node: str, text: str = "no such mode.\n ") -> ParserProblem:
    return ParserProblem(node, "Resize", "UNSUPPORTED_NODE_ATTR", text)


def test_parser_errors_name_the_nodes() -> None:
    message = parser_message(
        "TensorRT 11", "m.onnx", [_problem("up"), _problem("up"), _problem("")]
    )
    assert message == (
        "TensorRT 11 cannot take m.onnx: node 'up' (Resize): no such mode "
        "[UNSUPPORTED_NODE_ATTR]; the graph (Resize): no such mode [UNSUPPORTED_NODE_ATTR]; run "
        "`framelift check m.onnx` for the remedy"
    )


def test_many_parser_errors_are_counted() -> None:
    message = parser_message(
        "TensorRT 11", "m.onnx", [_problem(f"up{index}") for index in range(5)]
    )
    assert "node 'up2'" in message
    assert "node 'up3'" not in message
    assert "; and 2 more; run" in message


def test_parser_that_gives_no_reason() -> None:
    assert "it gives no reason" in parser_message("TensorRT 11", "m.onnx", [])
