"""How much a GPU computes and copies at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GpuLimits:
    """What suits real frames; tests take less, so that small frames show what large ones do."""

    band_bytes: int = 4 << 20
    """Of a result that is returned in bands: large enough that starting the copy of one costs
    little, and small enough that copies overlap."""
    graphs: int = 64
    """CUDA graphs that one session of ONNX Runtime records, which frees them with the session
    only."""


DEFAULT_LIMITS = GpuLimits()
