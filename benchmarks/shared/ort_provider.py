"""ONNX Runtime's sessions of the benchmarks, opened with the options that the runtime uses.

Else a network would be compared with itself in another arithmetic: CUDA's provider computes float32
in TF32 unless that is switched off.
"""

from __future__ import annotations

from typing import Any

from ...runtime.backends import onnx_cpu, onnx_cuda, onnx_webgpu, tensorrt_rtx
from ...runtime.ort.library import load_onnxruntime

CPU, CUDA = onnx_cpu.PROVIDER, onnx_cuda.PROVIDER
_PLUGINS = (onnx_webgpu.PROVIDER, tensorrt_rtx.PROVIDER)


def open_session(
    model: bytes,
    provider: str,
    precision: str,
    threads: int | None = None,
    device: int = 0,
) -> Any:  # noqa: ANN401 - onnxruntime states no types
    """A session of a serialised model on one provider alone, with ONNX Runtime's defaults for all
    that the runtime leaves as it is. `precision` is that of the network; `device` a GPU's number.

    Raises ONNX Runtime's own exceptions, which share no base.
    """
    ort = load_onnxruntime()
    options = ort.SessionOptions()
    options.log_severity_level = 4
    # By default the threads spin on for about a second after a call, and whatever is measured in
    # turn with this session would have one core less.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if threads is not None:
        options.intra_op_num_threads = threads
    chosen: dict[str, str] = {}
    if provider != CPU:
        # Else what a GPU cannot run is run, and timed, on the CPU.
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    if provider not in (CPU, *_PLUGINS):  # NVIDIA's plug-in refuses the option
        onnx_cuda.preload_libraries()
        chosen["device_id"] = str(device)
    if provider == CUDA:
        chosen |= onnx_cuda.provider_options(precision)
    return ort.InferenceSession(model, options, providers=[(provider, chosen)], enable_fallback=0)
