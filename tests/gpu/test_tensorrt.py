"""TensorRT on real hardware: engines built, cached, run and compared with ONNX Runtime's CPU.

Skipped where there is no NVIDIA GPU or no TensorRT; FRAMELIFT_REQUIRE_GPU=1 makes that a failure.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from framelift.common.errors import ModelError
from framelift.runtime import Upscaler
from framelift.runtime.gpu.shapes import ShapeProfile, parse_profile
from framelift.runtime.models.file import ModelSpec, read_spec
from framelift.runtime.models.zoo import resolve
from framelift.runtime.tensorrt.cache.folder import EngineCache
from framelift.runtime.tensorrt.cache.key import BuilderOptions
from framelift.runtime.tensorrt.cache.precision import convolution_types
from framelift.runtime.tensorrt.make import make_engine as make_engine_with_progress
from framelift.runtime.tensorrt.phases import BuildProgress
from framelift.runtime.tensorrt.provide import Provided

from ..support.frames import noise
from ..support.gpu_reference import (
    assert_deep_frames_are_right,
    assert_frames_under_way_are_right,
    assert_same_within_one,
    assert_threads_get_their_own_frames,
    on_the_cpu,
)

Frames = NDArray[np.uint8]

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        find_spec("tensorrt") is None and os.environ.get("FRAMELIFT_REQUIRE_GPU") != "1",
        reason="TensorRT is not installed",
    ),
]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("FRAMELIFT_CACHE", str(folder))
    return folder


def make_engine(
    spec: ModelSpec,
    profile: ShapeProfile,
    options: BuilderOptions,
    *,
    cache: EngineCache | None = None,
    rebuild: bool = False,
) -> Provided:
    progress = BuildProgress("building", quiet=True)
    return make_engine_with_progress(spec, profile, options, progress, cache=cache, rebuild=rebuild)


@pytest.mark.parametrize("shape", [(1, 48, 64), (1, 37, 53), (5, 48, 64), (1, 1, 1)])
def test_fp32_equals_the_cpu_within_one_code_value(
    shuffle_model_path: Path, shape: tuple[int, ...]
) -> None:
    frames = noise(*shape)
    with Upscaler.load(shuffle_model_path, "tensorrt") as upscale:
        assert_same_within_one(upscale(frames), on_the_cpu(shuffle_model_path, frames))


def test_nearest_neighbour_is_exact(nearest_model_path: Path, tiny_models: ModuleType) -> None:
    frames = noise(3, 45, 31)
    with Upscaler.load(nearest_model_path, "tensorrt") as upscale:
        assert np.array_equal(upscale(frames), tiny_models.nearest(frames, 4))


def test_shipped_model_on_a_real_size() -> None:
    model = resolve("realtime-small-x4")
    frames = noise(270, 480)
    with Upscaler.load(model, "tensorrt") as upscale:
        assert_same_within_one(upscale(frames), on_the_cpu(model, frames))


def test_auto_takes_it(shuffle_model_path: Path) -> None:
    with Upscaler.load(shuffle_model_path) as upscale:
        assert upscale.describe()["backend"] == "tensorrt", upscale.selection


def test_cuda_graph_gives_the_same_frames(shuffle_model_path: Path) -> None:
    with Upscaler.load(shuffle_model_path, "tensorrt") as upscale:
        plain = upscale(noise(48, 64))
        for _ in range(3):
            upscale(noise(48, 64, seed=9))
        assert upscale.describe()["cuda_graph"] == "yes"
        assert np.array_equal(upscale(noise(48, 64)), plain)


def test_sizes_that_change_all_the_time(shuffle_model_path: Path) -> None:
    with Upscaler.load(shuffle_model_path, "tensorrt") as upscale:
        for index, (height, width) in enumerate(
            [(48, 64), (52, 64), (48, 64), (60, 80), (33, 41), (64, 64), (60, 80)]
        ):
            frame = noise(height, width, seed=index)
            assert_same_within_one(upscale(frame), on_the_cpu(shuffle_model_path, frame))


def test_batch_engine(shuffle_model_path: Path) -> None:
    profile = parse_profile("1x48x64:4x48x64:4x48x64")
    assert make_engine(read_spec(shuffle_model_path), profile, BuilderOptions()).built
    frames = noise(11, 48, 64)
    with Upscaler.load(shuffle_model_path, "tensorrt") as upscale:
        got = upscale(frames)
        assert upscale.describe()["shapes"] == str(profile)
    assert_same_within_one(got, on_the_cpu(shuffle_model_path, frames))


def test_engine_is_kept_and_a_damaged_one_is_built_again(
    shuffle_model_path: Path, cache: Path
) -> None:
    spec, profile = read_spec(shuffle_model_path), parse_profile("48x64")
    first = make_engine(spec, profile, BuilderOptions())
    assert first.built
    again = make_engine(spec, profile, BuilderOptions())
    assert not again.built
    assert again.engine.plan == first.engine.plan
    (engine,) = cache.rglob("*.engine")
    for file in (engine, *cache.rglob("*.timing")):
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    said: list[str] = []
    rebuilt = make_engine(spec, profile, BuilderOptions(), cache=EngineCache(say=said.append))
    assert rebuilt.built
    assert len(said) == 2


def test_timings_are_kept_and_a_build_takes_them(shuffle_model_path: Path, cache: Path) -> None:
    spec, profile = read_spec(shuffle_model_path), parse_profile("48x64")
    make_engine(spec, profile, BuilderOptions())
    (timings,) = cache.rglob("*.timing")
    assert timings.stat().st_size > 100
    assert make_engine(spec, profile, BuilderOptions(), rebuild=True).built


def test_precision_is_verified_by_the_inspector(shuffle_model_path: Path) -> None:
    made = make_engine(read_spec(shuffle_model_path), parse_profile("48x64"), BuilderOptions())
    precision = made.engine.sidecar.precision
    assert precision.seen > 0, "the inspector's JSON is not understood"
    assert precision.as_graph == precision.seen


def test_half_precision_runs_in_half(shuffle_model_path: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from framelift.export.graph.half import to_half

    model = to_half(onnx.load(shuffle_model_path))
    path = tmp_path / "half.onnx"
    path.write_bytes(model.SerializeToString())
    made = make_engine(read_spec(path), parse_profile("48x64"), BuilderOptions())
    precision = made.engine.sidecar.precision
    assert precision.seen > 0
    assert precision.as_graph == precision.seen
    frame = noise(48, 64)
    with Upscaler.load(path, "tensorrt") as upscale:
        difference = np.abs(upscale(frame).astype(np.float64) - on_the_cpu(path, frame))
    assert 10 * np.log10(255**2 / max(np.square(difference).mean(), 1e-9)) >= 45


def test_int8_with_zero_point_0_runs_in_int8(tmp_path: Path, tiny_models: ModuleType) -> None:
    """The form that export gives int8 for TensorRT: Q/DQ pairs, uint8 at the ends only."""
    pytest.importorskip("torch")
    from framelift.common.images import read_image
    from framelift.export.int8.calibration import calibrate
    from framelift.export.int8.calibration_frames import crop
    from framelift.export.int8.quantisation import quantise
    from framelift.export.parity.comparison import REFERENCE

    photo = read_image(REFERENCE, say=print).bgr
    calibrated = calibrate(onnx.load(resolve("realtime-small-x4")), [crop(photo)])
    model = quantise(calibrated, 100.0, symmetric=True)
    path = tiny_models.save(tiny_models.set_metadata(model, precision="int8"), tmp_path / "m.onnx")
    assert sorted({*convolution_types(model).values()}) == ["fp32", "int8"]  # the first is fp32
    made = make_engine(read_spec(path), parse_profile("48x64"), BuilderOptions())
    precision = made.engine.sidecar.precision
    assert precision.seen > 0
    assert precision.as_graph == precision.seen, precision.others
    frame = np.ascontiguousarray(photo[:48, :64])
    with Upscaler.load(path, "tensorrt") as upscale:
        difference = np.abs(upscale(frame).astype(np.float64) - on_the_cpu(path, frame))
    # Both compute in integers; a value may fall to the other side of a step in each layer.
    assert 10 * np.log10(255**2 / max(np.square(difference).mean(), 1e-9)) >= 40


def test_tf32_is_another_engine(shuffle_model_path: Path) -> None:
    spec, profile = read_spec(shuffle_model_path), parse_profile("48x64")
    assert make_engine(spec, profile, BuilderOptions()).built
    assert make_engine(spec, profile, BuilderOptions(tf32=True)).built


def test_operator_that_tensorrt_does_not_know(tmp_path: Path, tiny_models: ModuleType) -> None:
    model = tiny_models.pixel_shuffle_model()
    node = next(node for node in model.graph.node if node.op_type == "Relu")
    node.op_type, node.domain, node.name = "Unknown", "test", "strange"
    model.opset_import.append(onnx.helper.make_opsetid("test", 1))
    path = tiny_models.save(model, tmp_path / "m.onnx")
    with pytest.raises(ModelError, match=r"cannot take .*m.onnx: node 'strange' \(Unknown\)"):
        make_engine(read_spec(path), parse_profile("48x64"), BuilderOptions())


def test_memory_stays_as_it_is(shuffle_model_path: Path) -> None:
    from cuda.bindings import runtime

    frame = noise(48, 64)
    out = np.empty((192, 256, 3), np.uint8)
    with Upscaler.load(shuffle_model_path, "tensorrt") as upscale:
        for _ in range(20):
            upscale(frame, out)
        _, free, _ = runtime.cudaMemGetInfo()
        for _ in range(500):
            upscale(frame, out)
        assert runtime.cudaMemGetInfo()[1] >= free - (1 << 20)


def test_two_processes_build_one_engine(shuffle_model_path: Path, cache: Path) -> None:
    code = "from framelift.cli.main import main; main()"
    command = [sys.executable, "-c", code, "engine", "build", str(shuffle_model_path)]
    command += ["--shapes", "48x64"]
    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [child.communicate(timeout=300) for child in children]
    assert [child.returncode for child in children] == [0, 0], said
    assert sum("taken from the cache" in error for _, error in said) == 1
    assert len(list(cache.rglob("*.engine"))) == 1


@pytest.mark.parametrize("name", ["realtime-nano-x4", "realtime-small-x2"])
def test_frames_of_16_bits(name: str) -> None:
    assert_deep_frames_are_right(resolve(name), "tensorrt")


@pytest.mark.parametrize("pinned", [False, True])
def test_frames_under_way_come_out_right(shuffle_model_path: Path, pinned: bool) -> None:
    assert_frames_under_way_are_right(shuffle_model_path, "tensorrt", pinned=pinned)


def test_upscalers_in_several_threads(shuffle_model_path: Path) -> None:
    assert_threads_get_their_own_frames(shuffle_model_path, "tensorrt")
