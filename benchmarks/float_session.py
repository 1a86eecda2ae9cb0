"""A float network in ONNX Runtime as scripts run it, without framelift's runtime around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..imaging.errors import BackendError
from ..runtime import Upscaler
from ..runtime.backends.engine import load_onnxruntime
from ..runtime.backends.saturation import adds_in_16_bits, hold_sums, prepare_int8
from ..runtime.model_file import load
from .float_network import float_network


class FloatSession:
    """float32 N×3×H×W RGB 0–1 in and out, on one provider, with ONNX Runtime's own defaults,
    but that its threads do not spin beyond the call."""

    def __init__(
        self, network: bytes, provider: str = "CPUExecutionProvider", threads: int | None = None
    ) -> None:
        """Load a serialised ONNX model with one image input and one image output.

        Raises BackendError and MissingDependencyError.
        """
        ort = load_onnxruntime()
        options = ort.SessionOptions()
        options.log_severity_level = 4
        # By default the threads spin on for about a second after a call, and whatever is measured
        # in turn with this session would have one core less.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            self._session: Any = ort.InferenceSession(network, options, providers=[provider])
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            raise BackendError(f"ONNX Runtime cannot load the network: {reason}") from error
        self.engine = f"onnxruntime {ort.__version__}"
        self.provider = provider
        self.inputs: list[Any] = self._session.get_inputs()
        self._output = self._session.get_outputs()[0].name

    @classmethod
    def of(cls, upscaler: Upscaler) -> FloatSession:
        """The float form of an upscaler's model, on the same provider and threads.

        Raises BackendError when the upscaler does not run on ONNX Runtime, and ModelError.
        """
        spec, model = load(upscaler.spec.path)
        facts = upscaler.describe()
        provider = str(facts["provider"])
        if provider not in load_onnxruntime().get_available_providers():
            raise BackendError(
                f"{facts['backend']} does not run in ONNX Runtime: nothing to compare"
            )
        threads = int(facts["threads"]) if "threads" in facts else None
        if provider == "CPUExecutionProvider":
            prepare_int8(model)  # as the backend does: the same operators are compared
        network = float_network(model, spec.name)
        if provider == "CPUExecutionProvider" and adds_in_16_bits():
            hold_sums(network)  # its channels are in another order, so other weights are neighbours
        return cls(network.SerializeToString(), provider, threads)

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
