"""Rivals do the same work as the upscaler, or say why they cannot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest

from framelift.benchmarks import rivals
from framelift.benchmarks.rivals import installed, is_rival, open_rival
from framelift.benchmarks.shared.float_network import float_network
from framelift.benchmarks.shared.frames import agreement, input_frames
from framelift.benchmarks.shared.settings import GridSettings, LatencySettings
from framelift.benchmarks.speed.latency import measure_latency
from framelift.benchmarks.speed.overhead import measure_overhead
from framelift.common.errors import BackendError, ConfigError, MissingDependencyError, ModelError
from framelift.runtime import Upscaler
from framelift.runtime.machine import nvidia
from framelift.runtime.models.file import load
from framelift.runtime.models.zoo import resolve
from tests.support.reports import as_json

CASE = LatencySettings(20, 14, threads=1)
ON_CUDA = ("ort-cuda", "torch-eager-cuda", "torch-compile-cuda")
QUICK = sorted(set(rivals.NAMES) - {"torch-compile", *ON_CUDA})


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("name", QUICK)
def test_rivals_give_the_upscalers_image(name: str, batch: int, shuffle_model_path: Path) -> None:
    if name not in installed():
        pytest.skip(f"the packages of {name} are not installed")
    case = LatencySettings(20, 14, batch, backend=name, threads=1)
    frames = input_frames(case)[0]
    with Upscaler.load(shuffle_model_path, backend="onnx-cpu") as upscaler:
        expected = upscaler(frames)
    rival = open_rival(name, shuffle_model_path, case)
    result = rival(frames)
    facts = rival.describe()
    rival.close()
    assert result.shape == expected.shape
    assert result.dtype == np.uint8
    same = agreement(expected, result)
    assert same.max_abs <= 1
    assert same.psnr_db is not None
    assert same.psnr_db > 48
    assert facts["backend"] == name
    assert facts["threads"] == 1
    assert facts["engine"]


@pytest.mark.slow
def test_compiled_torch_gives_the_upscalers_image(shuffle_model_path: Path) -> None:
    frame = input_frames(CASE)[0]
    with Upscaler.load(shuffle_model_path, backend="onnx-cpu") as upscaler:
        expected = upscaler(frame)
    rival = open_rival("torch-compile", shuffle_model_path, CASE)
    assert agreement(expected, rival(frame)).max_abs <= 1


@pytest.mark.parametrize("mode", ["CRD", "DCR"])
def test_the_torch_network_knows_both_pixel_shuffles(tiny_models: ModuleType, mode: str) -> None:
    torch = pytest.importorskip("torch")
    from framelift.benchmarks.rivals.torch_graph import TorchGraph
    from framelift.benchmarks.shared.float_session import FloatSession

    network = float_network(tiny_models.pixel_shuffle_model(mode=mode), "tiny")
    images = np.random.default_rng(0).random((2, 3, 9, 11), np.float32)
    with torch.inference_mode():
        result = TorchGraph(network)(torch.from_numpy(images)).numpy()
    wanted = FloatSession(network.SerializeToString(), threads=1).run(images)
    np.testing.assert_allclose(result, wanted, atol=1e-5)


def test_the_torch_network_names_what_it_does_not_know(tiny_models: ModuleType) -> None:
    pytest.importorskip("torch")
    from framelift.benchmarks.rivals.torch_graph import TorchGraph

    network = float_network(tiny_models.pixel_shuffle_model(), "tiny")
    next(node for node in network.graph.node if node.op_type == "Relu").op_type = "Erf"
    with pytest.raises(ModelError, match="do not know the operators Erf"):
        TorchGraph(network)


def test_another_model_runs_beside_ours(
    tiny_models: ModuleType, tmp_path: Path, shuffle_model_path: Path
) -> None:
    foreign = tmp_path / "other.onnx"
    network = float_network(tiny_models.pixel_shuffle_model(scale=2), "other")
    foreign.write_bytes(network.SerializeToString())
    settings = GridSettings(
        ((16, 12),),
        rivals=("ort-numpy", str(foreign)),
        threads=1,
        seconds=0,
        iterations=2,
        fresh=False,
        roofline=False,
    )
    document = as_json(measure_latency([shuffle_model_path], settings))
    ours, numpy, other = document["results"]["cases"]
    assert [ours["rival"], numpy["rival"], other["rival"]] == [False, True, True]
    assert numpy["agreement"]["with"] == ours["name"]
    assert numpy["agreement"]["share_within_1"] == 1
    assert other["scale"] == 2
    assert other["runtime"]["network"] == "other.onnx"
    assert other["agreement"] is None
    assert any("enlarges by another factor" in warning for warning in document["warnings"])
    assert not any("another image" in warning for warning in document["warnings"])


def test_a_rival_that_cannot_run_the_model_is_an_error_or_left_out(
    monkeypatch: pytest.MonkeyPatch, shuffle_model_path: Path
) -> None:
    from framelift.benchmarks.rivals import contender

    def refuse(name: str, model: Path, case: LatencySettings) -> None:
        raise BackendError(f"{name} has a bad day")

    monkeypatch.setattr(contender, "open_rival", refuse)
    strict = GridSettings(
        ((16, 12),),
        rivals=("ort-numpy",),
        threads=1,
        seconds=0,
        iterations=1,
        fresh=False,
        roofline=False,
    )
    with pytest.raises(BackendError, match="bad day"):
        measure_latency([shuffle_model_path], strict)
    document = as_json(measure_latency([shuffle_model_path], replace(strict, lenient=True)))
    assert len(document["results"]["cases"]) == 1
    reason = "left out: tiny-shuffle on ort-numpy (ort-numpy has a bad day)"
    assert document["warnings"][0] == reason
    with pytest.raises(BackendError, match="unknown backend"):  # ours must run
        measure_latency([shuffle_model_path], replace(strict, backends=("x",), lenient=True))


def test_ncnn_takes_no_int8(tiny_models: ModuleType, tmp_path: Path) -> None:
    pytest.importorskip("ncnn")
    model = tiny_models.set_metadata(tiny_models.pixel_shuffle_model(), precision="int8")
    path = tiny_models.save(model, tmp_path / "int8.onnx")
    with pytest.raises(ModelError, match="ncnn has no int8"):
        open_rival("ncnn", path, CASE)


def test_models_that_take_no_images_are_refused(
    tmp_path: Path, shuffle_model_path: Path, tiny_models: ModuleType
) -> None:
    with pytest.raises(ModelError, match=r"none\.onnx: no such file"):
        open_rival(str(tmp_path / "none.onnx"), shuffle_model_path, CASE)
    with pytest.raises(ModelError, match=r"no float N×3×H×W images but tensor\(uint8\)"):
        open_rival(str(shuffle_model_path), shuffle_model_path, CASE)
    images = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3, "h", "w"])
    result = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    for operator, made in (("GlobalAveragePool", r"\(1, 3, 1, 1\)"), ("Shape", r"\(4,\)")):
        if operator == "Shape":
            result = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.INT64, None)
        node = onnx.helper.make_node(operator, ["x"], ["y"])
        graph = onnx.helper.make_graph([node], "other", [images], [result])
        opset = [onnx.helper.make_opsetid("", 18)]
        onnx.save(
            onnx.helper.make_model(graph, opset_imports=opset, ir_version=9),
            tmp_path / "other.onnx",
        )
        with pytest.raises(
            ModelError, match=rf"made {made} of .*, not an upscaling by a whole number"
        ):
            open_rival(str(tmp_path / "other.onnx"), shuffle_model_path, CASE)
    text = tmp_path / "text.onnx"
    text.write_text("no model", encoding="utf-8")
    with pytest.raises(ModelError, match=r"text\.onnx: ONNX Runtime cannot load"):
        open_rival(str(text), shuffle_model_path, CASE)
    fixed = float_network(tiny_models.pixel_shuffle_model(frame_shape=(1, 8, 8)), "fixed")
    onnx.save(fixed, tmp_path / "fixed.onnx")
    with pytest.raises(ModelError, match="does not take frames of 20×14"):
        open_rival(str(tmp_path / "fixed.onnx"), shuffle_model_path, CASE)


@pytest.mark.parametrize("name", ON_CUDA)
def test_rivals_of_a_gpu_say_that_there_is_none(
    monkeypatch: pytest.MonkeyPatch, shuffle_model_path: Path, name: str
) -> None:
    monkeypatch.setattr(nvidia, "device_nodes", list)
    assert name not in installed()
    with pytest.raises(BackendError, match=rf"^{name} cannot run on this machine: no NVIDIA GPU"):
        open_rival(name, shuffle_model_path, CASE)


def test_a_pytorch_without_cuda_is_one_line(
    monkeypatch: pytest.MonkeyPatch, shuffle_model_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(nvidia, "device_nodes", lambda: [Path("/dev/nvidia0")])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BackendError, match=r"^torch-eager-cuda: PyTorch .* sees no GPU$"):
        open_rival("torch-eager-cuda", shuffle_model_path, CASE)


def test_pytorch_computes_float32_as_the_runtime_does() -> None:
    torch = pytest.importorskip("torch")
    from framelift.benchmarks.rivals.torch_cuda import compute_exactly

    kinds = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)
    before = [kind.fp32_precision for kind in kinds]
    try:
        compute_exactly()
        assert [kind.fp32_precision for kind in kinds] == ["ieee", "ieee"]
    finally:
        for kind, precision in zip(kinds, before, strict=True):
            kind.fp32_precision = precision


@pytest.mark.parametrize("name", ["realtime-nano-x4", "johnson-x4"])
def test_the_torch_network_in_half_precision(name: str) -> None:
    torch = pytest.importorskip("torch")
    from framelift.benchmarks.rivals.torch_graph import TorchGraph

    model = load(resolve(name))[1]
    image = torch.rand(1, 3, 12, 16)
    whole, half = (TorchGraph(float_network(model, name, keep_half=kept)) for kept in (False, True))
    assert {value.dtype for value in half.buffers()} >= {torch.float16}
    with torch.inference_mode():
        assert (whole(image) - half(image)).abs().max() < 0.02


def test_names_and_missing_packages(
    monkeypatch: pytest.MonkeyPatch, shuffle_model_path: Path
) -> None:
    assert is_rival("ncnn")
    assert is_rival("some/model.onnx")
    assert not is_rival("onnx-cpu")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert installed() == ()
    with pytest.raises(MissingDependencyError, match="ncnn needs ncnn and pnnx: pip install"):
        open_rival("ncnn", shuffle_model_path, CASE)


def test_the_peak_of_device_memory_is_seen_from_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shuffle_model_path: Path
) -> None:
    """A GPU whose memory is full for a moment, between two looks of the process itself."""
    from framelift.benchmarks.process import fresh

    used = iter([1 << 30, 3 << 30, 6 << 30])
    monkeypatch.setattr(fresh, "device_memory_used", lambda: next(used, 2 << 30))
    case = LatencySettings(8, 8, backend="onnx-cpu", threads=1)
    seen = fresh.measure_start(shuffle_model_path, case, memory_every_seconds=0.02)
    assert seen.device_memory_bytes == 5 << 30
    monkeypatch.setattr(fresh, "device_memory_used", lambda: None)
    assert fresh.measure_start(shuffle_model_path, case).device_memory_bytes is None


def test_a_backend_that_there_is_not_is_no_failure_of_a_process(shuffle_model_path: Path) -> None:
    settings = GridSettings(((8, 8),), backends=("onnx-cpu", "no-such"), seconds=0, iterations=1)
    with pytest.raises(BackendError, match=r"^unknown backend 'no-such': use one of auto, tens"):
        measure_latency([shuffle_model_path], settings)


def test_a_case_that_fails_in_its_own_process_says_why(shuffle_model_path: Path) -> None:
    from framelift.benchmarks.process.fresh import measure_start

    case = LatencySettings(8, 8, backend="no-such-backend", threads=1)
    with pytest.raises(BackendError, match=r"failed in a new process \(unknown backend"):
        measure_start(shuffle_model_path, case)


def test_a_fixed_size_run_in_tiles_has_no_share_of_the_peak(
    tmp_path: Path, tiny_models: ModuleType
) -> None:
    model = tiny_models.pixel_shuffle_model(frame_shape=(1, 24, 32), name="fixed")
    path = tiny_models.save(model, tmp_path / "fixed.onnx")
    settings = GridSettings(((48, 40),), threads=1, seconds=0, iterations=2, fresh=False)
    document = as_json(measure_latency([path], settings))
    assert document["results"]["cases"][0]["roofline"] is None
    assert any(
        "fixed, 48×40: no share of the peak: is run in tiles" in w for w in document["warnings"]
    )
    with pytest.raises(ConfigError, match=r"takes 32×24 pixels only, .* pass --size 32x24"):
        measure_overhead(path, LatencySettings(48, 40, seconds=0, iterations=2))
