"""The upscaler that tests of deep videos share."""

from __future__ import annotations

import pytest

from framelift.runtime import Upscaler


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    """As `framelift upscale --scale 2` loads it on a CPU: int8, and for deep frames fp16."""
    return Upscaler.load(
        "realtime-nano-x2", "onnx-cpu", cpu_model="realtime-nano-x2-int8", say=lambda line: None
    )
