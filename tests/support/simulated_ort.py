"""ONNX Runtime's GPU providers, simulated on `simulated_cuda` as far as framelift uses them.

Sessions upscale by repeating pixels, whatever the model. CUDA graphs follow ONNX Runtime's rules:
two plain runs for each number, a third that records, and replays that know nothing of what is bound
by then. What is said of the simulation in `simulated_cuda` holds here too.
"""

# ruff: noqa: ANN401 - ONNX Runtime states no types

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from framelift.runtime.machine import nvidia

from .simulated_cuda import CaptureMode, Gpu, Stream, Work, install_cuda

_PLAIN_RUNS = 2


@dataclass
class Bound:
    """One side of a binding."""

    device: str
    shape: tuple[int, ...]
    address: int


class Binding:
    """`onnxruntime.IOBinding`."""

    def __init__(self, gpu_number: int) -> None:
        self.sides: dict[str, Bound] = {}
        self._gpu_number = gpu_number

    def bind_input(
        self, name: str, device: str, device_id: int, dtype: Any, shape: Any, buffer_ptr: int
    ) -> None:
        assert device_id == (self._gpu_number if device == "cuda" else 0)
        assert np.dtype(dtype) == np.uint8
        self.sides[name] = Bound(device, tuple(shape), buffer_ptr)

    bind_output = bind_input

    def synchronize_inputs(self) -> None:
        pass

    def synchronize_outputs(self) -> None:
        pass


@dataclass
class Sessions:
    """What the tests set of all sessions, and what they look at."""

    gpu: Gpu
    refuse_graphs: bool = False
    during_recording: Callable[[], None] = lambda: None
    options: list[dict[str, str]] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    """ "plain", "record", "replay" or "host", one for each time that a network is queued."""
    waits: int = 0
    stream_outlived: list[bool] = field(default_factory=list)
    """For each session that was freed, whether its stream was still there."""


def session_class(sessions: Sessions) -> type:
    """`onnxruntime.InferenceSession`."""
    gpu = sessions.gpu

    class InferenceSession:
        def __init__(
            self, model: bytes, options: Any, providers: Any, enable_fallback: int
        ) -> None:
            assert enable_fallback == 0, "a provider that fails would be replaced by the CPU's"
            ((self.provider, provider_options),) = providers
            sessions.options.append(dict(provider_options))
            self.gpu_number = int(provider_options["device_id"])
            assert options.get_session_config_entry("session.disable_cpu_ep_fallback") == "1"
            self.records = provider_options.get("enable_cuda_graph") == "1"
            if self.records and sessions.refuse_graphs:
                raise RuntimeError(
                    "This session cannot use the graph capture feature as requested by the user "
                    "as the model has control flow nodes"
                )
            properties = onnx.load_model_from_string(model).metadata_props
            self.scale = next(int(p.value) for p in properties if p.key == "framelift.scale")
            number = provider_options.get("user_compute_stream")
            self.stream = Stream() if number is None else gpu.streams[int(number)]
            self.own_stream = number is None
            self.plain_runs: dict[str, int] = {}
            self.graphs: dict[tuple[int, str], list[Work]] = {}  # by thread, as the provider does

        def __del__(self) -> None:
            if hasattr(self, "stream") and not self.own_stream:
                sessions.stream_outlived.append(self.stream in gpu.streams.values())

        def get_providers(self) -> list[str]:
            return [self.provider]

        def get_provider_graph_assignment_info(self) -> list[SimpleNamespace]:
            return [SimpleNamespace(ep_name=self.provider)]

        def io_binding(self) -> Binding:
            return Binding(self.gpu_number)

        def run_with_iobinding(self, binding: Binding, run_options: Any = None) -> None:
            source, target = binding.sides["frames"], binding.sides["upscaled"]
            work = upscaling(source, target, self.scale)
            if source.device == "cpu":
                sessions.runs.append("host")
                work()
                return
            number = run_options.get_run_config_entry("gpu_graph_id")
            graph = (threading.get_ident(), number)
            if not self.records or number == "-1":
                self._queue("plain", [work])
            elif graph in self.graphs:
                self._queue("replay", self.graphs[graph])
            else:
                for _ in range(_PLAIN_RUNS):
                    self._queue("plain", [work])
                gpu.begin_capture(self.stream, CaptureMode.cudaStreamCaptureModeGlobal)
                if gpu.captures_fail:  # it is not ended then
                    raise RuntimeError("CUDA failure 900: operation not permitted\nstack")
                sessions.during_recording()
                status, _ = gpu.end_capture(self.stream)
                if status:
                    raise RuntimeError(f"CUDA failure {status:d}: {status.name}\nstack")
                self.graphs[graph] = [work]
                self._queue("record", [work])
            if run_options.get_run_config_entry("disable_synchronize_execution_providers") != "1":
                sessions.waits += 1
                gpu.work_until(lambda: not self.stream.queue)

        def _queue(self, kind: str, works: list[Work]) -> None:
            assert self.stream.capture is None, "the stream is still recording"
            sessions.runs.append(kind)
            for work in works:
                gpu.queue(self.stream, work)

    return InferenceSession


def upscaling(source: Bound, target: Bound, scale: int) -> Work:
    """The network on what lies at these addresses when it runs, not when it is queued."""
    assert target.shape[1:3] == tuple(scale * side for side in source.shape[1:3])

    def work() -> None:
        block = (ctypes.c_uint8 * int(np.prod(source.shape))).from_address(source.address)
        frames = np.ctypeslib.as_array(block).reshape(source.shape)
        if target.shape[0] < len(frames):  # a model of several frames, which shows the middle one
            frames = frames[len(frames) // 2][None]
        big = np.ascontiguousarray(frames.repeat(scale, 1).repeat(scale, 2))
        ctypes.memmove(target.address, big.ctypes.data, big.size)

    return work


def install(
    monkeypatch: pytest.MonkeyPatch,
    gpu: Gpu,
    provider: str = "CUDAExecutionProvider",
    *,
    cuda_python: bool = True,
) -> Sessions:
    """Put both libraries where `import` finds them, and a GPU where framelift looks for one."""
    sessions = Sessions(gpu)
    if cuda_python:
        install_cuda(monkeypatch, gpu)
    else:
        monkeypatch.setattr("framelift.runtime.gpu.cuda_python.has_cuda_python", lambda: False)
    monkeypatch.setattr(onnxruntime, "InferenceSession", session_class(sessions))
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [provider])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda **_: None, raising=False)
    monkeypatch.setattr("framelift.runtime.backends.onnx_gpu.driver_problem", lambda _: None)
    monkeypatch.setattr(nvidia, "device_nodes", lambda: ["/dev/nvidia0"])
    return sessions
