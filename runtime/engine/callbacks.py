"""What TensorRT calls back while it works: a log that keeps complaints, and a monitor of builds."""

from __future__ import annotations

from typing import TYPE_CHECKING, SupportsInt

from .library import Library
from .phases import BuildProgress

if TYPE_CHECKING:
    import tensorrt


class Complaints:
    """TensorRT's errors, kept for the error that follows them; nothing is printed."""

    def __init__(self) -> None:
        self._errors: list[str] = []

    def add(self, message: str) -> None:
        """Keep one; called from any thread."""
        self._errors.append(" ".join(message.split()))

    def reason(self, otherwise: str = "TensorRT gives no reason") -> str:
        """The first complaint, since later ones are its consequences."""
        return self._errors[0] if self._errors else otherwise


def log_of(library: Library, complaints: Complaints) -> tensorrt.ILogger:
    """TensorRT's log, of which only errors are kept."""
    if TYPE_CHECKING:
        from tensorrt import ILogger
    else:
        ILogger = library.trt.ILogger  # noqa: N806 - a class

    class Log(ILogger):
        def __init__(self) -> None:
            ILogger.__init__(self)

        def log(self, severity: ILogger.Severity, msg: str) -> None:
            if severity in (ILogger.Severity.ERROR, ILogger.Severity.INTERNAL_ERROR):
                complaints.add(msg)

    return Log()


def monitor_of(library: Library, progress: BuildProgress) -> tensorrt.IProgressMonitor:
    """Passes TensorRT's reports on; nothing may be raised through its native frames."""
    if TYPE_CHECKING:
        from tensorrt import IProgressMonitor
    else:
        IProgressMonitor = library.trt.IProgressMonitor  # noqa: N806 - a class

    class Monitor(IProgressMonitor):
        def __init__(self) -> None:
            IProgressMonitor.__init__(self)

        def phase_start(
            self, phase_name: str, parent_phase: str | None, num_steps: SupportsInt
        ) -> None:
            progress.phase_start(phase_name, parent_phase, int(num_steps))

        def step_complete(self, phase_name: str, step: SupportsInt) -> bool:
            return progress.step_complete(phase_name, int(step))

        def phase_finish(self, phase_name: str) -> None:
            progress.phase_finish(phase_name)

    return Monitor()
