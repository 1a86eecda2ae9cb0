"""TensorRT's two entry points, builders and runtimes, which may be unable to start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...imaging.errors import BackendError
from .callbacks import Complaints, log_of
from .library import Library

if TYPE_CHECKING:
    import tensorrt


class Entry:
    """TensorRT, and what it complains about from now on."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.log, record = log_of(library)
        self.complaints = Complaints(record)

    def builder(self) -> tensorrt.Builder:
        """A new builder. Raises BackendError if TensorRT cannot start."""
        builder: tensorrt.Builder = self._start(self.library.trt.Builder)
        return builder

    def runtime(self) -> tensorrt.Runtime:
        """A new runtime. Raises BackendError if TensorRT cannot start."""
        runtime: tensorrt.Runtime = self._start(self.library.trt.Runtime)
        return runtime

    def _start(self, kind: Any) -> Any:  # noqa: ANN401 - a class of the bindings
        try:
            return kind(self.log)
        except (TypeError, RuntimeError) as error:  # pybind's words for "the native side gave null"
            reason = self.complaints.reason(str(error))
            raise BackendError(f"{self.library} cannot start: {reason}") from error
