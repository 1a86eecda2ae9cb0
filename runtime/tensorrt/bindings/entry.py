"""TensorRT's two entry points, builders and runtimes, and the log that keeps its complaints."""

from __future__ import annotations

import itertools
from collections import deque
from functools import cache
from typing import TYPE_CHECKING, Any

from ....common.errors import BackendError
from ....common.text import one_line
from .library import Library

if TYPE_CHECKING:
    import tensorrt

_KEPT = 64


class Record:
    """TensorRT's last errors, each with a number; nothing is printed."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._errors: deque[tuple[int, str]] = deque(maxlen=_KEPT)

    def add(self, message: str) -> None:
        """Keep one; called from any thread."""
        self._errors.append((next(self._numbers), one_line(message)))

    def newest(self) -> int:
        """The number of the last error; 0 before the first."""
        return self._errors[-1][0] if self._errors else 0

    def first_after(self, number: int) -> str | None:
        """The first error with a higher number, since later ones are its consequences."""
        return next((text for found, text in list(self._errors) if found > number), None)


class Complaints:
    """The errors since it was made, or since they were forgotten."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._seen = record.newest()

    def reason(self, otherwise: str = "TensorRT gives no reason") -> str:
        """The first of them."""
        return self._record.first_after(self._seen) or otherwise

    def forget(self) -> None:
        """Leave out the errors of earlier calls from now on."""
        self._seen = self._record.newest()


def log_of(library: Library) -> tuple[tensorrt.ILogger, Record]:
    """TensorRT's one log in this process, and what it kept.

    While a builder or runtime lives, TensorRT warns that it ignores the log of another one; so all
    have this one, which lives as long as the process.
    """
    return _log_of(library.trt)


@cache
def _log_of(trt: Any) -> tuple[tensorrt.ILogger, Record]:  # noqa: ANN401 - a module
    if TYPE_CHECKING:
        from tensorrt import ILogger
    else:
        ILogger = trt.ILogger  # noqa: N806 - a class

    record = Record()

    class Log(ILogger):
        def __init__(self) -> None:
            ILogger.__init__(self)

        def log(self, severity: ILogger.Severity, msg: str) -> None:
            if severity in (ILogger.Severity.ERROR, ILogger.Severity.INTERNAL_ERROR):
                record.add(msg)

    return Log(), record


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
