"""What a library needs, read from its file."""

from __future__ import annotations

import os
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from framelift.runtime.ort.linkage import (
    CUDART,
    NVINFER,
    linked_major,
    load_problem,
    needed_libraries,
)

from ...support.elf import write_library

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads libraries of Linux")


@linux
def test_a_real_library() -> None:
    (library,) = Path(np.__file__).parent.glob("_core/_multiarray_umath*.so")
    assert "libc.so.6" in needed_libraries(library)
    assert linked_major(library, "libc") == 6
    assert linked_major(library, "lib") is None  # no library of that name
    assert load_problem(library) is None or "openblas" in str(load_problem(library))


@linux
def test_onnx_runtime_itself() -> None:
    import onnxruntime

    (library,) = (Path(onnxruntime.__file__).parent / "capi").glob("*pybind11_state*.so")
    assert {"libc.so.6", "libstdc++.so.6"} <= set(needed_libraries(library))


def test_only_the_list_is_read(tmp_path: Path) -> None:
    library = write_library(tmp_path / "a.so", ["libc.so.6", "libnvinfer.so.10", "libcudart.so.13"])
    os.truncate(library, 1 << 34)
    tracemalloc.start()
    assert (linked_major(library, NVINFER), linked_major(library, CUDART)) == (10, 13)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_name_in_the_code_is_no_library_that_is_needed(tmp_path: Path) -> None:
    library = write_library(tmp_path / "a.so", ["libc.so.6"])
    with library.open("ab") as file:
        file.write(b"\0libnvinfer.so.8\0")
    assert linked_major(library, NVINFER) is None


@pytest.mark.parametrize(
    "content", [b"", b"\x7fELF", b"MZ\x90", b"\x7fELF\x02\x01\x01" + b"\xff" * 90]
)
def test_what_is_no_library_of_linux(tmp_path: Path, content: bytes) -> None:
    library = tmp_path / "a.so"
    library.write_bytes(content)
    assert needed_libraries(library) == needed_libraries(tmp_path / "none.so") == []
    assert load_problem(library) is None


@linux
def test_what_is_lacked_is_named_in_the_loader_s_words(tmp_path: Path) -> None:
    library = write_library(tmp_path / "a.so", ["libc.so.6", "libnone.so.3"])
    assert str(load_problem(library)).startswith("libnone.so.3: cannot open shared object file")
