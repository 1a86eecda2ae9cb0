"""What ONNX Runtime's GPU providers are linked with, read from their files without loading them."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

NVINFER = re.compile(rb"libnvinfer\.so\.(\d+)")
CUDART = re.compile(rb"libcudart\.so\.(\d+)")


def linked_major(library: Path, pattern: re.Pattern[bytes]) -> int | None:
    """The major release of the library that `library` needs and `pattern` names, or None."""
    try:
        content = library.read_bytes()
    except OSError:
        return None
    match = pattern.search(content)
    return int(match[1]) if match else None


def provider_library(name: str) -> Path:
    """The file of the provider "cuda" or "tensorrt", whether or not it is there."""
    spec = importlib.util.find_spec("onnxruntime")
    origin = spec.origin if spec else None
    folder = Path(origin).parent / "capi" if origin else Path("/nonexistent")
    return folder / f"libonnxruntime_providers_{name}.so"
