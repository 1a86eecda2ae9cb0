"""Whether an error of a library means that memory ran out."""

from __future__ import annotations

import re

# PyTorch, ONNX Runtime's arenas, CUDA, TensorRT, C++ and the loader of libraries each have their
# own words for it. WebGPU calls what depends on a buffer that it could not make invalid, and counts
# the parts of one that is too large.
_OUT_OF_MEMORY = re.compile(
    r"out of memory|failed to allocate|bad_alloc|memoryallocation|can(?:no|')t allocate"
    r"|is invalid due to a previous error|too many storage buffers in shader"
    r"|failed to map segment",
    re.IGNORECASE,
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether what failed ran out of memory."""
    return isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(str(error)) is not None
