"""An ONNX Runtime session that reads and writes the caller's arrays in place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from ...common.errors import BackendError
from ...common.text import first_line
from ..gpu.cuda_gate import GATE
from ..machine.host import check_threads
from ..models.contract import INPUT
from ..session.protocol import Frames
from .library import load_onnxruntime

_CPU = "CPUExecutionProvider"
_RECORD_ASSIGNMENT = "session.record_ep_graph_assignment_info"

LEFT_TO_CPU = "assigned to the default CPU"
"""In the error of a session that would need the processor, where that is not allowed."""

NO_GRAPH = -1
"""The CUDA graph number with which a run is neither recorded nor replayed."""


# ONNX Runtime states no types: its IOBinding, and what its plug-ins list.
DeviceBinding = Any
PluginDevice = Any


class OrtSession:
    """One model on one provider, that provider alone: nothing falls back to another."""

    def __init__(
        self,
        backend: str,
        model: bytes,
        provider: str,
        threads: int,
        *,
        device: int = 0,
        plugin_devices: Sequence[PluginDevice] = (),
        provider_options: dict[str, str] | None = None,
        config: dict[str, str] | None = None,
    ) -> None:
        """Load a serialised model.

        Args:
            backend: what errors call it.
            model: the ONNX model.
            provider: ONNX Runtime's name of the provider.
            threads: host threads within one operator.
            device: number of the GPU that frames are bound on, for providers of CUDA.
            plugin_devices: the devices that a plug-in lists, where the provider is one.
            provider_options: for the provider.
            config: more entries of the session's configuration.

        Raises:
            BackendError: the model is refused, or another provider would run nodes of it.
            ConfigError: there are far more threads than processors.
            MissingDependencyError: ONNX Runtime is not installed.
        """
        ort = load_onnxruntime()
        self.engine = f"onnxruntime {ort.__version__}"
        self._backend = backend
        self._device = device
        self._using_gpu: Callable[[], AbstractContextManager[None]] = (
            nullcontext if provider == _CPU else GATE.using
        )
        check_threads(threads)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what goes wrong is raised; the log would repeat it
        # A short spin bridges the gap between two operators but not that between two frames, where
        # spinning would take the processors from decoding and encoding. Medians on two cores at
        # 240×136, ms, alternating: with nothing beside it, never spinning 29, this 21, ONNX
        # Runtime's default 21; with one busy process beside it 40, 55, 60.
        options.add_session_config_entry("session.intra_op.spin_duration_us", "100")
        # A memory pattern is kept for each shape beside the arena: twice the memory, no faster.
        options.enable_mem_pattern = False
        options.add_session_config_entry(_RECORD_ASSIGNMENT, "1")
        for key, value in (config or {}).items():
            options.add_session_config_entry(key, value)
        try:
            providers = [(provider, provider_options or {})]
            if plugin_devices:
                options.add_provider_for_devices(plugin_devices, provider_options or {})
                providers = []
            # Else a provider that fails is printed to standard output and the CPU's taken instead.
            with self._using_gpu():
                self._session: Any = ort.InferenceSession(
                    model, options, providers=providers or None, enable_fallback=0
                )
        except Exception as error:
            raise BackendError(f"{backend} cannot load the model: {_first_line(error)}") from error
        self._thread: ThreadPoolExecutor | None = None
        running = self._session.get_providers()
        strangers = _nodes_elsewhere(self._session, provider)
        if running[0] != provider or strangers:
            self._session = None  # before the stream that the caller made for it
        if running[0] != provider:
            raise BackendError(f"{backend} would run on {running[0]}, not on {provider}")
        if strangers:
            raise BackendError(f"{backend} would run nodes on {strangers}")
        self._binding: Any = self._session.io_binding()

    def infer(self, frames: Frames, output: str, target: Frames) -> None:
        """Run on `frames`, writing the output of that name to `target`; both C-contiguous."""
        self.run({INPUT: frames}, {output: target})

    def run(self, inputs: Mapping[str, Frames], outputs: Mapping[str, Frames]) -> None:
        """Run on arrays by name, all C-contiguous, writing those of `outputs`."""
        binding = self._binding
        try:
            for name, array in inputs.items():
                _bind(binding.bind_input, name, array)
            for name, array in outputs.items():
                _bind(binding.bind_output, name, array)
            with self._using_gpu():
                binding.synchronize_inputs()
                self._session.run_with_iobinding(binding)
                binding.synchronize_outputs()
        except Exception as error:
            raise BackendError(f"{self._backend} failed: {_first_line(error)}") from error

    def bind(self, inputs: Mapping[str, Frames], outputs: Mapping[str, Frames]) -> DeviceBinding:
        """A binding of arrays on the host for `run_bound`; each belongs to one thread."""
        binding = self._session.io_binding()
        for name, array in inputs.items():
            _bind(binding.bind_input, name, array)
        for name, array in outputs.items():
            _bind(binding.bind_output, name, array)
        return binding

    def run_bound(
        self, binding: DeviceBinding, frames: tuple[str, Frames], target: tuple[str, Frames]
    ) -> None:
        """Run on the processor what `bind` bound, with another input and another output.

        Several threads may do that at once.
        """
        try:
            _bind(binding.bind_input, *frames)
            _bind(binding.bind_output, *target)
            self._session.run_with_iobinding(binding)
        except Exception as error:
            raise BackendError(f"{self._backend} failed: {_first_line(error)}") from error

    def bind_on_device(
        self, source: int, shape: tuple[int, ...], output: str, target: int, big: tuple[int, ...]
    ) -> DeviceBinding:
        """Bind uint8 frames of `shape` at address `source` on the session's GPU, and the output of
        that name, of shape `big`, at address `target`.
        """
        binding = self._session.io_binding()
        binding.bind_input(INPUT, "cuda", self._device, np.uint8, shape, source)
        binding.bind_output(output, "cuda", self._device, np.uint8, big, target)
        return binding

    def launch(self, binding: DeviceBinding, graph: int = NO_GRAPH) -> None:
        """Queue a run between bound addresses on the session's stream, not waiting for its end.

        Runs of one graph number must have one binding: the first is recorded, later ones replay it.
        Releases of ONNX Runtime before 1.27 wait for the end of a replay, which is slower only.
        """
        options = load_onnxruntime().RunOptions()
        options.log_severity_level = 4
        options.add_run_config_entry("disable_synchronize_execution_providers", "1")
        options.add_run_config_entry("gpu_graph_id", str(graph))
        try:
            self.in_own_thread(lambda: self._session.run_with_iobinding(binding, options))
        except Exception as error:
            raise BackendError(_first_line(error)) from error

    def in_own_thread(self, call: Callable[[], object]) -> None:
        """Make a call in the thread that all launches are made in, and wait for it.

        ONNX Runtime's CUDA provider keeps recorded graphs, and cuDNN's handles beside them, by
        thread until the session ends; a caller may have a new thread for each clip.
        """
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="onnxruntime")
        self._thread.submit(call).result()

    def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
        with self._using_gpu():
            self._binding = None
            self._session = None


def _bind(bind: Callable[..., None], name: str, array: Frames) -> None:
    """Bind an array by address: on the CPU nothing is copied, on a GPU each array once."""
    # ONNX Runtime refuses the address 0, which an array without elements may have.
    bind(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data or 1)


def _nodes_elsewhere(session: Any, provider: str) -> str:  # noqa: ANN401 - it states no types
    """Which other providers were given nodes, and their operators; "" for none.

    Older releases do not say.
    """
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return ""
    found: dict[str, set[str]] = {}
    for part in session.get_provider_graph_assignment_info():
        if part.ep_name != provider:
            found.setdefault(part.ep_name, set()).update(node.op_type for node in part.get_nodes())
    return ", ".join(f"{name} ({', '.join(sorted(found[name]))})" for name in sorted(found))


def _first_line(error: Exception) -> str:
    """An engine's message may be a stack of lines; the first says what happened.

    ONNX Runtime puts its own function before CUDA's words, and the machine's name behind them.
    """
    line = first_line(error)
    words = re.search(r"CUDA failure \d+: .*?(?= ;|$)", line)
    return words[0].strip() if words else line
