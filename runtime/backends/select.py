"""The backends, best first, and the choice between them."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from ...imaging.errors import BackendError, FrameliftError
from ..model_file import ModelSpec
from . import onnx_cpu, onnx_cuda, onnx_tensorrt, tensorrt
from .base import Session
from .engine import engine_problem
from .probe import probe_in_child

AUTO = "auto"


@dataclass(frozen=True)
class Backend:
    """One way to run a model.

    `missing` is a cheap check: why it cannot run here, or None. `needs_trial` says that it may end
    the process when a library is broken, so that it is first tried in a child process.
    """

    name: str
    missing: Callable[[], str | None]
    open: Callable[[ModelSpec, int | None], Session]
    needs_trial: bool

    def unusable(self, spec: ModelSpec) -> str | None:
        """Why it cannot run this model here, or None if it can; may start a child process."""
        reason = self.missing()
        if reason is None and self.needs_trial:
            reason = probe_in_child(self.name, spec.path)
        return reason


BACKENDS = {
    backend.name: backend
    for backend in (
        Backend(tensorrt.NAME, tensorrt.missing, tensorrt.TensorrtSession, needs_trial=True),
        Backend(
            onnx_tensorrt.NAME,
            onnx_tensorrt.missing,
            onnx_tensorrt.OnnxTensorrtSession,
            needs_trial=True,
        ),
        Backend(onnx_cuda.NAME, onnx_cuda.missing, onnx_cuda.OnnxCudaSession, needs_trial=True),
        Backend(onnx_cpu.NAME, onnx_cpu.missing, onnx_cpu.OnnxCpuSession, needs_trial=False),
    )
}


def open_backend(spec: ModelSpec, name: str, threads: int | None) -> tuple[Session, str]:
    """Load `spec` on the named backend, or for "auto" on the best that works.

    Returns:
        The session, and for "auto" one line: what runs, and why better ones were passed over.

    Raises:
        BackendError: the name is unknown, or that backend cannot run here, or none can.
        MissingDependencyError: no inference engine is installed.
    """
    if name != AUTO:
        return open_named(spec, name, threads), ""
    passed: list[str] = []
    for backend in BACKENDS.values():
        reason = backend.unusable(spec)
        if reason is None:
            try:
                session = backend.open(spec, threads)
            except FrameliftError as error:
                reason = str(error)
            else:
                return session, _selection(session, passed)
        passed.append(f"{backend.name} passed over: {reason}")
    problem = engine_problem()
    if problem is not None:  # what is to be installed says more than what each backend lacks
        raise problem
    raise BackendError("no backend can run this model here: " + "; ".join(passed))


def runs_on_cpu(name: str) -> bool:
    """Whether that backend, or what "auto" can choose of, is the CPU's, as far as is cheap to say.

    A GPU that turns out not to work only when a model is loaded counts as one that does.
    """
    if name != AUTO:
        return name == onnx_cpu.NAME
    others = (backend for backend in BACKENDS.values() if backend.name != onnx_cpu.NAME)
    return all(backend.missing() is not None for backend in others)


def open_named(spec: ModelSpec, name: str, threads: int | None = None) -> Session:
    """Load `spec` on the backend of that name, or raise as `open_backend` does."""
    backend = BACKENDS.get(name)
    if backend is None:
        near = difflib.get_close_matches(name, [*BACKENDS, AUTO], n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        known = ", ".join([AUTO, *BACKENDS])
        raise BackendError(f"unknown backend {name!r}{hint}: use one of {known}")
    return backend.open(spec, threads)


def _selection(session: Session, passed: list[str]) -> str:
    chosen = f"using {session.name} ({session.provider} on {session.device})"
    return "; ".join([chosen, *passed])
