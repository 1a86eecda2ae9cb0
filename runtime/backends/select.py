"""The backends, best first, and the choice between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from itertools import groupby
from typing import Any, NamedTuple

from ...common.errors import BackendError, ConfigError, FrameliftError
from ...common.text import suggestion
from ..machine.nvidia import gpu_problem
from ..models.byte_form import in_bytes
from ..models.contract import DEEP_BITS
from ..models.file import ModelSpec
from ..models.int8_form import form_problem
from ..ort.library import engine_problem
from ..session.deep import for_deep_frames
from ..session.protocol import Session
from . import onnx_cpu
from .probe import probe_in_child

AUTO = "auto"


@dataclass(frozen=True)
class Backend:
    """One way to run a model.

    `missing` is a cheap check: why it cannot run here, or None. `open` takes the model, the host
    threads and the number of the GPU. `needs_trial` says that it may end the process when a library
    is broken, so that it is first tried in a child process: with one small frame, or by `try_out`
    where a first frame takes minutes, as that of an engine does. `try_out` raises FrameliftError.
    `must_be_faster`: on GPUs without memory of their own it may be slower than the processor, so
    that it is timed beside it first.
    """

    name: str
    missing: Callable[[], str | None]
    open: Callable[[ModelSpec, int | None, int], Session]
    needs_trial: bool
    try_out: Callable[[ModelSpec, int], None] | None = None
    must_be_faster: bool = False

    @property
    def on_gpu(self) -> bool:
        """Whether it runs on a GPU; the libraries of all of those may be broken."""
        return self.needs_trial

    def unusable(self, spec: ModelSpec, device: int, on_cpu: ModelSpec | None) -> str | None:
        """Why it cannot run this model here, or None if it can; may start a child process.

        `on_cpu` is what the processor would run instead; None if it is not to be asked.
        """
        reason = self.missing()
        if reason is None and self.on_gpu:
            reason = form_problem(spec)
        if reason is None and self.needs_trial:
            rival = on_cpu.path if self.must_be_faster and on_cpu is not None else None
            reason = probe_in_child(self.name, spec.path, device, rival)
        return reason


def _in(module: str, name: str) -> Callable[..., Any]:
    """A function of a backend's module, which is imported when it is first called."""

    def call(*arguments: object) -> object:
        return getattr(import_module(f".{module}", __package__), name)(*arguments)

    return call


def _on_nvidia(module: str) -> Callable[[], str | None]:
    """`missing` of a backend for NVIDIA's GPUs; without one, its module is not imported."""
    missing = _in(module, "missing")
    return lambda: gpu_problem() or missing()


BACKENDS = {
    backend.name: backend
    for backend in (
        Backend(
            "tensorrt",
            _on_nvidia("tensorrt"),
            _in("tensorrt", "TensorrtSession"),
            needs_trial=True,
            try_out=_in("tensorrt", "try_out"),
        ),
        Backend(
            "tensorrt-rtx",
            _on_nvidia("tensorrt_rtx"),
            _in("tensorrt_rtx", "TensorrtRtxSession"),
            needs_trial=True,
        ),
        Backend(
            "onnx-tensorrt",
            _on_nvidia("onnx_tensorrt"),
            _in("onnx_tensorrt", "OnnxTensorrtSession"),
            needs_trial=True,
            try_out=_in("onnx_tensorrt", "try_out"),
        ),
        Backend(
            "onnx-cuda",
            _on_nvidia("onnx_cuda"),
            _in("onnx_cuda", "OnnxCudaSession"),
            needs_trial=True,
        ),
        Backend(
            "onnx-webgpu",
            _in("onnx_webgpu", "missing"),
            _in("onnx_webgpu", "OnnxWebgpuSession"),
            needs_trial=True,
            must_be_faster=True,
        ),
        Backend(onnx_cpu.NAME, onnx_cpu.missing, onnx_cpu.open_session, needs_trial=False),
    )
}


class Opened(NamedTuple):
    """A loaded model: which one, and for "auto" one line of what runs and why no better one."""

    session: Session
    spec: ModelSpec
    selection: str


def open_backend(
    spec: ModelSpec,
    name: str,
    threads: int | None,
    device: int | None = None,
    on_cpu: ModelSpec | None = None,
) -> Opened:
    """Load `spec` on the named backend, or for "auto" on the best that works.

    Args:
        spec: the model.
        name: "auto" or a backend's name.
        threads: host threads, None for one per processor.
        device: the number of the GPU; a GPU it must be then. None is the first, if there is one.
        on_cpu: the model to load instead of `spec` on a backend of the processor.

    Raises:
        BackendError: the name is unknown, or that backend cannot run on this machine, or none can.
        ConfigError: there is no such device, or one is given for a backend of the processor.
        MissingDependencyError: no inference engine is installed.
    """
    if device is not None and device < 0:
        raise ConfigError(f"device {device}: GPUs are numbered from 0")
    if name != AUTO:
        backend = find_backend(name)
        chosen = spec if backend.on_gpu or on_cpu is None else on_cpu
        return Opened(_open(backend, chosen, threads, device), chosen, "")
    passed: list[tuple[str, str]] = []
    for backend in BACKENDS.values():
        if device is not None and not backend.on_gpu:
            continue
        chosen = spec if backend.on_gpu or on_cpu is None else on_cpu
        rival = None if device is not None else on_cpu or spec
        reason = backend.unusable(chosen, device or 0, rival)
        if reason is None:
            try:
                session = _open(backend, chosen, threads, device)
            except FrameliftError as error:
                reason = str(error)
            else:
                return Opened(session, chosen, _selection(session, passed))
        passed.append((backend.name, reason))
    problem = engine_problem()
    if problem is not None:  # what is to be installed says more than what each backend lacks
        raise problem
    what = "backend" if device is None else f"backend of GPU {device}"
    raise BackendError(
        f"no {what} can run this model on this machine: " + "; ".join(_reasons(passed))
    )


def runs_on_cpu(name: str) -> bool:
    """Whether that backend, or what "auto" can choose of, is the CPU's, as far as is cheap to say.

    A GPU that turns out not to work only when a model is loaded counts as one that does.
    """
    if name != AUTO:
        return name == onnx_cpu.NAME
    return all(backend.missing() is not None for backend in BACKENDS.values() if backend.on_gpu)


def open_named(
    spec: ModelSpec, name: str, threads: int | None = None, device: int | None = None
) -> Session:
    """Load `spec` on the backend of that name, or raise as `open_backend` does."""
    return _open(find_backend(name), spec, threads, device)


def find_backend(name: str) -> Backend:
    """The backend of that name. Raises BackendError if there is none."""
    backend = BACKENDS.get(name)
    if backend is None:
        hint = suggestion(name, [*BACKENDS, AUTO], 1)
        known = ", ".join([AUTO, *BACKENDS])
        raise BackendError(f"unknown backend {name!r}{hint}: use one of {known}")
    return backend


def _open(backend: Backend, spec: ModelSpec, threads: int | None, device: int | None) -> Session:
    if device is not None and not backend.on_gpu:
        raise ConfigError(
            f"device {device} is a GPU, and {backend.name} runs on the CPU: leave one out"
        )
    if spec.depth == DEEP_BITS and backend.on_gpu:
        return for_deep_frames(backend.open(in_bytes(spec), threads, device or 0))
    return backend.open(spec, threads, device or 0)


def _selection(session: Session, passed: list[tuple[str, str]]) -> str:
    chosen = f"using {session.name} ({session.provider} on {session.device})"
    return "; ".join([chosen, *_reasons(passed)])


def _reasons(passed: Iterable[tuple[str, str]]) -> list[str]:
    """Why backends were not used, those with one reason together."""
    lines = []
    for reason, group in groupby(passed, key=lambda pair: pair[1]):
        *names, last = (name for name, _ in group)
        together = f"{', '.join(names)} and {last}" if names else last
        lines.append(f"{together} not used: {reason}")
    return lines
