"""A float network in ONNX Runtime as scripts run it, without framelift's runtime around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common.errors import BackendError, FrameliftError
from ...common.text import first_line
from ...runtime import Upscaler
from ...runtime.backends.cpu.saturation import adds_in_16_bits, hold_sums, prepare_int8
from ...runtime.ort.library import load_onnxruntime
from .float_network import float_network
from .ort_provider import CPU, open_session


class FloatSession:
    """float32 N×3×H×W RGB 0–1 in and out, on one provider, with ONNX Runtime's own defaults,
    but for what `ort_provider` says."""

    def __init__(
        self,
        network: bytes,
        provider: str = CPU,
        threads: int | None = None,
        *,
        precision: str = "fp32",
        device: int = 0,
    ) -> None:
        """Load a serialised ONNX model with one image input and one image output.

        `precision` is what it computes in, `device` the number of the GPU. Raises BackendError and
        MissingDependencyError.
        """
        try:
            self._session: Any = open_session(network, provider, precision, threads, device)
        except FrameliftError:
            raise
        except Exception as error:
            reason = first_line(error)
            raise BackendError(f"ONNX Runtime cannot load the network: {reason}") from error
        self.engine = f"onnxruntime {load_onnxruntime().__version__}"
        self.provider = provider
        self.inputs: list[Any] = self._session.get_inputs()
        self._output = self._session.get_outputs()[0].name

    @classmethod
    def of(cls, upscaler: Upscaler, device: int | None = None) -> FloatSession:
        """The float form of an upscaler's model, on the same provider, in the same precision and
        with the same threads; `device` is what the upscaler was loaded on.

        Raises BackendError when the upscaler does not run on ONNX Runtime, and ModelError.
        """
        spec, model = upscaler.spec, upscaler.spec.model()
        facts = upscaler.describe()
        provider = str(facts["provider"])
        if provider not in load_onnxruntime().get_available_providers():
            raise BackendError(
                f"{facts['backend']} does not run in ONNX Runtime: nothing to compare"
            )
        threads = int(facts["threads"]) if "threads" in facts else None
        if provider == CPU:
            prepare_int8(model)  # as the backend does: the same operators are compared
        in_half = provider != CPU and facts.get("computed_in") != "float32"
        network = float_network(model, spec.name, keep_half=in_half)
        if provider == CPU and adds_in_16_bits():
            hold_sums(network)  # its channels are in another order, so other weights are neighbours
        return cls(
            network.SerializeToString(),
            provider,
            threads,
            precision=spec.precision,
            device=device or 0,
        )

    def run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 N×3×H×W RGB 0–1 to N×3×sH×sW, newly allocated, not clamped."""
        result: NDArray[np.float32]
        result = self._session.run([self._output], {self.inputs[0].name: images})[0]
        return result

    def bind(self, images: NDArray[np.float32], shape: tuple[int, ...]) -> Callable[[], object]:
        """A call that reads `images` and writes one array of `shape`, both prepared once."""
        output = np.empty(shape, np.float32)
        binding = self._session.io_binding()
        binding.bind_cpu_input(self.inputs[0].name, images)
        binding.bind_output(self._output, "cpu", 0, np.float32, shape, output.ctypes.data)

        def call() -> NDArray[np.float32]:
            self._session.run_with_iobinding(binding)
            return output

        return call
