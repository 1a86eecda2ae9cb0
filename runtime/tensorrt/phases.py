"""Progress of an engine build: TensorRT reports a tree of phases, from any thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, SupportsInt

from ...common.progress import Progress
from .bindings.library import Library

if TYPE_CHECKING:
    import tensorrt


class PhaseTree:
    """Phases within phases, each of a known number of steps, as one fraction.

    A running phase counts as a share of the step of its parent that it belongs to.
    """

    def __init__(self) -> None:
        self._phases: dict[str, _Phase] = {}

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """A phase of `steps` steps begins."""
        self._phases[name] = _Phase(parent if parent in self._phases else None, max(1, steps))

    def step(self, name: str, step: int) -> None:
        """Step `step` (from 0) of a phase is done."""
        phase = self._phases.get(name)
        if phase is not None:
            phase.done = max(phase.done, min(step + 1, phase.steps))

    def finish(self, name: str) -> None:
        """A phase has ended, with all that is left within it."""
        for child in [key for key, phase in self._phases.items() if phase.parent == name]:
            self.finish(child)
        self._phases.pop(name, None)

    def fraction(self) -> float:
        """How far the outermost running phase is, 0 to 1; 0 when none is running."""
        roots = [name for name, phase in self._phases.items() if phase.parent is None]
        return self._fraction(roots[0]) if roots else 0.0

    def label(self) -> str:
        """The phase that started last among those running, or ""."""
        return next(reversed(self._phases), "")

    def _fraction(self, name: str) -> float:
        phase = self._phases[name]
        within = max(
            (self._fraction(key) for key, child in self._phases.items() if child.parent == name),
            default=0.0,
        )
        return min(1.0, (phase.done + within) / phase.steps)


class _Phase:
    def __init__(self, parent: str | None, steps: int) -> None:
        self.parent = parent
        self.steps = steps
        self.done = 0


class BuildProgress(Progress):
    """The progress of a build; its methods are called from any thread.

    `cancel` makes `step_complete` answer False, on which TensorRT gives up.
    """

    def __init__(self, title: str, *, quiet: bool = False) -> None:
        layout = "{l_bar}{bar}| {elapsed}, {postfix}"
        super().__init__(title, 100, quiet=quiet, bar_format=layout, leave=False)
        self._title = title
        self._lock = threading.Lock()
        self._tree = PhaseTree()
        self._cancelled = False

    def cancel(self) -> None:
        """Ask the build to stop at its next step."""
        self._cancelled = True

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled

    def phase_start(self, name: str, parent: str | None, steps: int) -> None:
        """A phase begins."""
        with self._lock:
            self._tree.start(name, parent, steps)
            self._show()

    def step_complete(self, name: str, step: int) -> bool:
        """A step is done; False if the build is to stop."""
        with self._lock:
            self._tree.step(name, step)
            self._show()
        return not self._cancelled

    def phase_finish(self, name: str) -> None:
        """A phase has ended."""
        with self._lock:
            self._tree.finish(name)
            self._show()

    def _show(self) -> None:
        percent, label = round(100 * self._tree.fraction()), self._tree.label()
        # Later root phases start again from 0; the bar only grows.
        self.show(percent, lambda: f"{self._title}: {percent} % ({label})", label)


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
