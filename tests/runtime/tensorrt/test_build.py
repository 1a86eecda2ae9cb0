"""The builder on simulated libraries: what only a GPU would show of TensorRT 10 and 11.

What the parser and the builder say themselves is tested with NVIDIA's library, in tests/compile/.
"""

from __future__ import annotations

import threading
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from framelift.common.errors import BackendError
from framelift.runtime.gpu.shapes import parse_profile
from framelift.runtime.models.file import ModelSpec, read_spec
from framelift.runtime.tensorrt.bindings.library import load_tensorrt
from framelift.runtime.tensorrt.build import Job, build_engine
from framelift.runtime.tensorrt.cache.key import BuilderOptions
from framelift.runtime.tensorrt.phases import BuildProgress

from ...support.waiting import PATIENCE_S

if TYPE_CHECKING:
    from framelift.runtime.tensorrt.provide import Built
    from tests.support.simulated_cuda import Gpu


def _build(
    spec: ModelSpec,
    shapes: str = "9x7",
    options: BuilderOptions | None = None,
    device: int = 0,
    timings: bytes = b"",
) -> Built:
    job = Job(spec, parse_profile(shapes), options or BuilderOptions(), device, timings)
    return build_engine(load_tensorrt(), job, BuildProgress("test", quiet=True))


@pytest.mark.parametrize(("version", "flags"), [("10.16.1.11", 2), ("11.4.0.106", 0)])
def test_networks_are_strongly_typed_and_tf32_is_off(
    monkeypatch: pytest.MonkeyPatch,
    simulated_gpu: ModuleType,
    shuffle_model_path: Path,
    version: str,
    flags: int,
) -> None:
    gpu = simulated_gpu.install(monkeypatch, simulated_gpu.Gpu(devices=2), version)
    spec = read_spec(shuffle_model_path)
    built = _build(spec, "8x8:9x9:16x16", device=1)
    assert gpu.builds == [
        {
            "device": 1,
            "network_flags": flags,
            "tf32": False,
            "level": 3,
            "aux_streams": 0,
            "detailed": True,
            "timings": b"",
            "shapes": ((1, 8, 8, 3), (1, 9, 9, 3), (1, 16, 16, 3)),
        }
    ]
    assert built.facts.precision.text() == "3 of 3 convolutions run in the graph's precision"
    assert (built.facts.layers, built.timings) == (3, b"+")


def test_options_reach_the_builder(gpu: Gpu, spec: ModelSpec) -> None:
    _build(spec, options=BuilderOptions(level=5, tf32=True, max_aux_streams=None), timings=b"t")
    (build,) = gpu.builds
    assert (build["level"], build["tf32"], build["aux_streams"]) == (5, True, -1)
    assert build["timings"] == b"t"


def test_timings_of_another_gpu_are_dropped(gpu: Gpu, spec: ModelSpec) -> None:
    gpu.refuse_timings = True
    assert _build(spec, timings=b"of another").timings == b"+"


def test_engine_of_another_precision_is_refused(
    gpu: Gpu,
    shuffle_model_path: Path,
) -> None:
    gpu.inspected_type = "Half"
    with pytest.raises(BackendError, match="does not run in the model's precision: 0 of 3"):
        _build(read_spec(shuffle_model_path))


def test_no_such_gpu(gpu: Gpu, spec: ModelSpec) -> None:
    with pytest.raises(BackendError, match="there is no GPU 3: 1 can be seen"):
        _build(spec, device=3)
    gpu.devices = 0
    with pytest.raises(BackendError, match=r"cudaGetDeviceCount failed.*the driver shows no GPU"):
        _build(spec)


def test_interrupted_build_stops_at_its_next_step(
    gpu: Gpu,
    spec: ModelSpec,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    under_way = threading.Event()
    progress = BuildProgress("test", quiet=True)

    def wait_for_the_signal() -> None:
        under_way.set()
        while not progress.cancelled:
            under_way.wait(0.01)

    def interrupted(self: object, timeout: float | None = None) -> None:
        under_way.wait(PATIENCE_S)
        raise KeyboardInterrupt

    gpu.during_build = wait_for_the_signal
    monkeypatch.setattr("concurrent.futures.Future.result", interrupted)
    job = Job(spec, parse_profile("9x7"), BuilderOptions(), 0)
    with pytest.raises(KeyboardInterrupt):
        build_engine(load_tensorrt(), job, progress)
    assert not any(thread.name == "framelift-build" for thread in threading.enumerate())
