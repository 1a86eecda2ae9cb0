"""CUDA computes in the benchmarks as it does in the runtime, and nothing is left to the CPU."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from framelift.benchmarks.machine.peaks import PeakMeter, Work, gemm_model
from framelift.benchmarks.shared.float_network import float_network
from framelift.benchmarks.shared.float_session import FloatSession
from framelift.benchmarks.shared.ort_provider import CUDA, open_session
from framelift.runtime import Upscaler
from framelift.runtime.backends.onnx_cuda import provider_options
from framelift.runtime.models.file import load
from framelift.runtime.models.zoo import resolve


class Sessions:
    """CUDA's sessions run on the CPU here; what they were opened with is written down."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[tuple[str, dict[str, str], str]] = []
        self.models: list[bytes] = []
        real = onnxruntime.InferenceSession

        def open_on_cpu(
            model: bytes,
            options: onnxruntime.SessionOptions,
            providers: list[tuple[str, dict[str, str]]],
            enable_fallback: int,
        ) -> onnxruntime.InferenceSession:
            ((provider, chosen),) = providers
            key = "session.disable_cpu_ep_fallback"
            fallback = options.get_session_config_entry(key) if provider == CUDA else ""
            self.opened.append((provider, chosen, fallback))
            self.models.append(model)
            return real(model, providers=["CPUExecutionProvider"])

        monkeypatch.setattr(onnxruntime, "InferenceSession", open_on_cpu)
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA])
        monkeypatch.setattr(onnxruntime, "preload_dlls", lambda **_: None, raising=False)


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> Sessions:
    return Sessions(monkeypatch)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_same_options_as_the_runtime_s(sessions: Sessions, precision: str) -> None:
    open_session(gemm_model("fp32", 4).SerializeToString(), CUDA, precision, device=2)
    ((provider, options, fallback),) = sessions.opened
    assert (provider, fallback) == (CUDA, "1")
    assert options == {"device_id": "2", **provider_options(precision)}
    assert options["use_tf32"] == "0"


def test_the_peak_is_measured_with_them(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_numpy = onnxruntime.OrtValue.ortvalue_from_numpy
    monkeypatch.setattr(
        onnxruntime.OrtValue, "ortvalue_from_numpy", lambda value, *_: of_numpy(value)
    )
    monkeypatch.setattr(
        onnxruntime.IOBinding, "bind_output", _bind_on_the_cpu(onnxruntime.IOBinding.bind_output)
    )
    meter = PeakMeter(CUDA, "fp32", 1, device=1, work=Work(16, 8, 1 << 12))
    peaks = meter.measure(seconds=0)
    meter.close()
    assert min(peaks.gemm_ops, peaks.convolution_ops, peaks.copy_bytes) > 0
    assert len(sessions.opened) == 3
    for _, options, fallback in sessions.opened:
        assert (options["use_tf32"], options["device_id"], fallback) == ("0", "1", "1")


def _bind_on_the_cpu(bind: Any) -> Any:  # noqa: ANN401
    return lambda binding, name, *_: bind(binding, name)


def test_the_float_form_on_a_gpu_stays_in_half_precision(sessions: Sessions) -> None:
    class OnCuda:
        """An upscaler that says it runs there."""

        def __init__(self) -> None:
            self.spec = load(resolve("realtime-nano-x4"))[0]

        def describe(self) -> dict[str, str]:
            return {"backend": "onnx-cuda", "provider": CUDA}

    session = FloatSession.of(OnCuda(), 1)  # type: ignore[arg-type]
    ((_, options, _),) = sessions.opened
    assert options == {"device_id": "1", **provider_options("fp16")}
    network = onnx.load_model_from_string(sessions.models[0])
    assert {t.data_type for t in network.graph.initializer} == {onnx.TensorProto.FLOAT16}
    image = np.random.default_rng(0).random((1, 3, 9, 8), np.float32)
    assert session.run(image).dtype == np.float32


@pytest.mark.parametrize("name", ["realtime-small-x4", "realtime-nano-x2", "johnson-x4"])
def test_the_float_form_in_half_precision_is_that_in_float32(name: str) -> None:
    _, model = load(resolve(name))
    image = np.random.default_rng(0).random((1, 3, 24, 20), np.float32)
    whole, half = (
        FloatSession(float_network(model, name, keep_half=kept).SerializeToString(), threads=1).run(
            image
        )
        for kept in (False, True)
    )
    assert np.abs(whole - half).max() < 0.02


def test_float32_models_are_the_same_with_and_without(tiny_models: ModuleType) -> None:
    model = tiny_models.pixel_shuffle_model()
    with_half, without = (float_network(model, "tiny", keep_half=k) for k in (True, False))
    assert with_half.SerializeToString() == without.SerializeToString()


def test_the_bare_call_of_an_upscaler_on_the_cpu(shuffle_model_path: Path) -> None:
    with Upscaler.load(shuffle_model_path, "onnx-cpu", threads=1) as upscaler:
        assert FloatSession.of(upscaler).provider == "CPUExecutionProvider"
