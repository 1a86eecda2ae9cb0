"""int8 models in the form for processors are not given to GPUs, and what to use instead is said."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from framelift.common.errors import BackendError
from framelift.runtime import Upscaler
from framelift.runtime.backends import select
from framelift.runtime.models.file import load, read_spec
from framelift.runtime.models.int8_form import form_problem, is_for_processors
from framelift.runtime.models.zoo import default_model, shipped_models

GPU_BACKENDS = ("onnx-cuda", "onnx-tensorrt", "onnx-webgpu", "tensorrt", "tensorrt-rtx")
INT8 = "realtime-small-x4-int8"


def test_all_shipped_models_of_that_form_are_found() -> None:
    shipped = shipped_models()
    found = {name for name, path in shipped.items() if form_problem(read_spec(path))}
    assert found == {name for name in shipped if name.endswith("-int8")}
    for name in found:  # each names a model that ships and that a GPU runs
        assert f"use {name.removesuffix('-int8')}, the same network" in str(
            form_problem(read_spec(shipped[name]))
        )
        assert not is_for_processors(load(shipped[name.removesuffix("-int8")])[1])


@pytest.mark.parametrize("backend", GPU_BACKENDS)
def test_a_gpu_backend_refuses_it_before_it_is_opened(backend: str) -> None:
    with pytest.raises(BackendError) as caught:
        Upscaler.load(INT8, backend)
    assert str(caught.value) == (
        f"{backend}: {INT8} is int8 in the form for CPUs, with integer operators that GPUs lack; "
        "use realtime-small-x4, the same network without int8"
    )


def test_auto_starts_no_trial_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def trial(*_: object) -> None:
        raise AssertionError("a child process was started")

    monkeypatch.setattr(select, "probe_in_child", trial)
    for name in GPU_BACKENDS:
        usable = replace(select.BACKENDS[name], missing=lambda: None)
        monkeypatch.setitem(select.BACKENDS, name, usable)
    with Upscaler.load(INT8) as upscale:
        assert upscale.describe()["backend"] == "onnx-cpu"
        assert upscale.selection.count("use realtime-small-x4, the same network") >= 1


@pytest.mark.parametrize("footage", [False, True])
@pytest.mark.parametrize("scale", [None, 1.5, 2, 3, 4, 8])
def test_the_default_model_of_a_gpu_never_is_one(scale: float | None, footage: bool) -> None:
    name = default_model(scale, footage=footage, on_cpu=False)
    assert form_problem(read_spec(shipped_models()[name])) is None


def test_a_file_beside_it_or_a_command_is_named(tmp_path: Path) -> None:
    mine = tmp_path / "mine-int8.onnx"
    shutil.copy(shipped_models()[INT8], mine)
    assert "export it in int8 with --target tensorrt11" in str(form_problem(read_spec(mine)))
    (tmp_path / "mine.onnx").touch()
    assert f"use {tmp_path / 'mine.onnx'}, the same" in str(form_problem(read_spec(mine)))


def test_the_form_for_tensorrt_is_none(tmp_path: Path, tiny_models: ModuleType) -> None:
    pytest.importorskip("torch")
    from framelift.export.int8.calibration import calibrate
    from framelift.export.int8.quantisation import quantise

    from ...support.frames import noise

    calibrated = calibrate(tiny_models.pixel_shuffle_model(), [noise(1, 24, 24)])
    model = tiny_models.set_metadata(quantise(calibrated, 100.0, symmetric=True), precision="int8")
    path = tiny_models.save(model, tmp_path / "int8.onnx")
    assert any(node.op_type == "QuantizeLinear" for node in model.graph.node)
    assert form_problem(read_spec(path)) is None
