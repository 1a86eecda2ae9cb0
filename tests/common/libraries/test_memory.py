"""Running out of memory is known by the words of each library."""

from __future__ import annotations

import pytest

from framelift.common.libraries.memory import is_out_of_memory


@pytest.mark.parametrize(
    "message",
    [
        "onnx-webgpu failed: WebGPU validation failed. [Invalid Buffer (unlabeled)] is invalid due "
        "to a previous error.",
        "onnx-webgpu failed: Failed to create a WebGPU compute pipeline: [Invalid ShaderModule "
        '"Conv2dMM"] is invalid due to a previous error.',
        "onnx-webgpu failed: Too many storage buffers in shader. Current: 14, Max is 12",
        "onnx-cuda failed: CUDA failure 2: out of memory",
        "CUDA out of memory. Tried to allocate 20.00 MiB.",
        "_imaging.cpython-311-x86_64-linux-gnu.so: failed to map segment from shared object",
        "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried "
        "to allocate 4000000000000 bytes. Error code 12 (Cannot allocate memory)",
    ],
)
def test_each_library_has_its_own_words_for_too_little_memory(message: str) -> None:
    assert is_out_of_memory(RuntimeError(message))
    assert not is_out_of_memory(RuntimeError("the shader cannot be compiled"))
