"""int8 weights are held to what 16-bit sums of products take, where a processor has such."""

from __future__ import annotations

import platform
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from framelift.runtime import Upscaler
from framelift.runtime.backends.cpu import saturation
from framelift.runtime.backends.cpu.saturation import adds_in_16_bits, hold_sums
from framelift.runtime.models.file import load
from framelift.runtime.models.zoo import resolve

INT8 = "realtime-small-x4-int8"
EXACT = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # Q/DQ in float, as they are written
FAST = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL


def frames() -> NDArray[np.uint8]:
    """Pixels that are black or white: the largest sums."""
    bits = np.random.default_rng(0).integers(0, 2, (1, 24, 32, 3))
    return (bits * 255).astype(np.uint8)


def run(model: onnx.ModelProto, level: onnxruntime.GraphOptimizationLevel) -> NDArray[np.int16]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    result: NDArray[np.int16] = session.run(None, {"frames": frames()})[0].astype(np.int16)
    return result


def crowded() -> onnx.ModelProto:
    """The shipped model with weights that use all of int8, as other tools and older exports make
    them: each output channel in finer steps."""
    _, model = load(resolve(INT8))
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    values = {name: numpy_helper.to_array(tensor) for name, tensor in tensors.items()}
    for name in [name for name in values if name.endswith(".codes")]:
        bias = name.replace(".codes", ".bias_codes")
        finer = 127 / np.abs(values[name]).max(axis=(1, 2, 3)).astype(np.float64)
        for changed, value in (
            (name, np.rint(values[name] * finer[:, None, None, None]).astype(np.int8)),
            (bias, np.rint(values[bias] * finer).astype(np.int32)),
            (f"{name}.step", (values[f"{name}.step"] / finer).astype(np.float32)),
            (f"{bias}.step", (values[f"{bias}.step"] / finer).astype(np.float32)),
        ):
            tensors[changed].CopyFrom(numpy_helper.from_array(value, changed))
    entries = {entry.key: entry.value for entry in model.metadata_props}
    entries.pop("framelift.graph_sha256", None)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, entries)
    return model


def weights(model: onnx.ModelProto) -> list[NDArray[np.int64]]:
    tensors = map(numpy_helper.to_array, model.graph.initializer)
    return [codes.astype(np.int64) for codes in tensors if codes.ndim == 4]


def test_no_sum_of_neighbours_is_cut_off_and_integers_are_as_exact_as_floats() -> None:
    model = crowded()
    before = run(model, EXACT)
    assert max(np.abs(codes).max() for codes in weights(model)) == 127
    assert hold_sums(model) > 100
    for codes in weights(model):
        for order in (codes, codes.transpose(0, 2, 3, 1)):
            flat = order.reshape(len(codes), -1)
            flat = np.pad(flat, ((0, 0), (0, flat.shape[1] % 2)))
            assert np.abs(255 * (flat[:, 0::2] + flat[:, 1::2])).max() < 2**15
    # With VNNI this holds anyway; without, values were up to 88 codes off before.
    assert np.abs(run(model, FAST) - run(model, EXACT)).max() <= 2
    error = (run(model, EXACT) - before).astype(np.float64)
    assert 10 * np.log10(255**2 / np.square(error).mean()) > 38
    assert hold_sums(model) == 0


def test_other_models_are_left_alone(tiny_models: ModuleType) -> None:
    for model in (tiny_models.pixel_shuffle_model(), load(resolve("realtime-small-x4"))[1]):
        before = model.SerializeToString(deterministic=True)
        assert hold_sums(model) == 0
        assert model.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize(
    ("machine", "flags", "expected"),
    [
        ("x86_64", "fpu sse4_2 avx2 avx512f", True),
        ("x86_64", "fpu avx2 avx_vnni", False),
        ("AMD64", "fpu avx512f avx512_vnni", False),
        ("x86_64", None, True),
        ("aarch64", "asimd", False),
    ],
)
def test_which_processors_add_in_16_bits(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    machine: str,
    flags: str | None,
    expected: bool,
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    cpuinfo = tmp_path / "cpuinfo"
    if flags is not None:
        cpuinfo.write_text(f"processor\t: 0\nmodel name\t: X\nflags\t\t: {flags}\n\n")
    assert adds_in_16_bits(cpuinfo) is expected


@pytest.mark.parametrize("narrow", [True, False])
def test_it_is_said_once_when_the_model_is_loaded(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    narrow: bool,
) -> None:
    monkeypatch.setattr(saturation, "adds_in_16_bits", lambda: narrow)
    path = tmp_path / "old.onnx"
    path.write_bytes(crowded().SerializeToString())
    with Upscaler.load(path, "onnx-cpu") as upscale:
        described = upscale.describe()
        upscale(frames()[0])
    said = capsys.readouterr().err
    assert (said.count(f"{INT8}: ") == 1) is narrow
    assert ("is not known to have VNNI: int8 weights get a coarser step" in said) is narrow
    assert ("int8" in described) is narrow
    for name in ("realtime-small-x4",):
        with Upscaler.load(name, "onnx-cpu"):
            assert capsys.readouterr().err == ""
