"""The same reports on a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from framelift.benchmarks.shared.settings import GridSettings
from framelift.benchmarks.speed.latency import measure_latency
from tests.support.reports import as_json

pytestmark = pytest.mark.gpu


def test_latency_on_a_gpu_is_set_beside_the_gpus_peak(shuffle_model_path: Path) -> None:
    settings = GridSettings(((64, 48),), backends=("onnx-cuda", "onnx-cpu"), seconds=0)
    document = as_json(measure_latency([shuffle_model_path], settings))
    gpu, cpu = document["results"]["cases"]
    assert gpu["runtime"]["backend"] == "onnx-cuda"
    assert cpu["agreement"]["share_within_1"] >= 0.999
    assert gpu["start"]["device_memory_bytes"] > 0
    assert gpu["roofline"]["arithmetic_ms"] < cpu["roofline"]["arithmetic_ms"]
    assert document["results"]["conditions"]["gpu"]["sm_mhz"]["max"] > 0
    assert {peak["provider"] for peak in document["results"]["peaks"]} == {
        "CPUExecutionProvider",
        "CUDAExecutionProvider",
    }
