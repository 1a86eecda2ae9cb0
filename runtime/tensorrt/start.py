"""Whether TensorRT and CUDA work here, found without building an engine, which takes minutes."""

from __future__ import annotations

from cuda.bindings import runtime

from ..gpu.cuda import call, select_device
from ..gpu.memory import Resources, pinned_array
from ..models.file import ModelSpec
from .bindings.entry import Entry
from .bindings.library import Library
from .parse import parse_model

_SIZE_BYTES = 1 << 20


def start(library: Library, spec: ModelSpec, device: int) -> None:
    """Make TensorRT's runtime and builder, parse the model, and copy a megabyte to the GPU.

    Raises:
        BackendError: no such GPU, or what fails.
        ModelError: TensorRT cannot take the model; the message names the nodes.
    """
    select_device(device)
    entry = Entry(library)
    entry.runtime()
    builder = entry.builder()
    parse_model(entry, builder, spec)
    resources = Resources()
    try:
        stream, target = resources.stream(), resources.device(_SIZE_BYTES)
        source = pinned_array((_SIZE_BYTES,))
        upload = runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        call(runtime.cudaMemcpyAsync, target, source.ctypes.data, _SIZE_BYTES, upload, stream)
        call(runtime.cudaStreamSynchronize, stream)
    finally:
        resources.close()
