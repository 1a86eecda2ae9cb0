"""The GPU and driver that an engine is made for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DeviceFacts:
    """The GPU and driver that an engine is built on and for, or a generation of GPUs.

    `compute_capability` is such as "9.0". `driver` is the driver's major version, such as "590", or
    "cuda13.1" where only the CUDA version that it supports is known.
    """

    gpu: str
    compute_capability: str
    driver: str
