"""What is installed, what works, and which command repairs what does not."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ..common.errors import FrameliftError
from ..common.libraries.opencv import load_cv2, window_system
from .backends import onnx_webgpu, tensorrt_rtx
from .backends.probe import probe_in_child
from .backends.select import BACKENDS
from .gpu_doctor import findings, gather
from .models.zoo import default_model, resolve
from .ort.library import engine_problem, installed_engines

H264_ENCODER = "libx264"

_OPENCV = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
# What is no fault when missing, and what brings it.
_OPTIONAL = {
    "torch": 'pip install "framelift[train]"',
    "tensorrt": 'pip install "framelift[tensorrt]"',
    tensorrt_rtx.PLUGIN.distribution: 'pip install "framelift[rtx]"',
    onnx_webgpu.PLUGIN.distribution: 'pip install "framelift[webgpu]"',
}


class Status(StrEnum):
    """`ABSENT` is something optional that is not there."""

    OK = "ok"
    ABSENT = "absent"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Check:
    """One finding. `fix` is the command that repairs it, or "" when the detail says what to do."""

    name: str
    status: Status
    detail: str
    fix: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All findings: installed packages, the video encoder, and the backends, best first.

    `passed_over` are backends that work, but that "auto" does not take.
    """

    packages: tuple[Check, ...]
    encoder: Check
    backends: tuple[Check, ...]
    passed_over: tuple[str, ...] = ()

    @property
    def working_backends(self) -> tuple[str, ...]:
        """Names of the backends that ran a frame."""
        return tuple(check.name for check in self.backends if check.status is Status.OK)

    @property
    def taken_by_auto(self) -> str | None:
        """Name of the backend that "auto" takes."""
        names = (name for name in self.working_backends if name not in self.passed_over)
        return next(names, None)

    @property
    def can_upscale_video(self) -> bool:
        """At least one backend and the video encoder work."""
        return bool(self.working_backends) and self.encoder.status is Status.OK


def diagnose(model: Path | None = None) -> Diagnosis:
    """Check this installation. Each backend runs one small frame of `model` (default: the shipped
    model) in a child process. Never raises for what it finds.
    """
    packages = (
        Check("python", Status.OK, platform.python_version()),
        _required("framelift", "pip install framelift"),
        _required("numpy", "pip install numpy"),
        _required("onnx", "pip install onnx"),
        _opencv(),
        _engine(),
        *(_optional(name, fix) for name, fix in _OPTIONAL.items()),
        *(
            Check(finding.name, Status.PROBLEM, finding.detail, finding.fix)
            for finding in findings(gather())
        ),
    )
    passed_over: list[str] = []
    return Diagnosis(packages, _encoder(), tuple(_backends(model, passed_over)), tuple(passed_over))


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _required(name: str, fix: str) -> Check:
    version = _version(name)
    if version is None:
        return Check(name, Status.PROBLEM, "not installed", fix)
    return Check(name, Status.OK, version)


def _optional(name: str, fix: str) -> Check:
    version = _version(name)
    if version is None:
        return Check(name, Status.ABSENT, "not installed (optional)", fix)
    return Check(name, Status.OK, version)


def _opencv() -> Check:
    found = {name: version for name in _OPENCV if (version := _version(name)) is not None}
    names = ", ".join(f"{name} {version}" for name, version in found.items())
    if len(found) > 1:
        fix = f"pip uninstall -y {' '.join(found)} && pip install opencv-python"
        return Check("opencv", Status.PROBLEM, f"{names} overwrite each other", fix)
    try:
        cv2 = load_cv2()
    except FrameliftError as error:
        return Check("opencv", Status.PROBLEM, str(error))
    windows = window_system(cv2.getBuildInformation())
    detail = "headless: no windows" if windows is None else f"windows: {windows}"
    return Check("opencv", Status.OK, f"{names or cv2.__version__} ({detail})")


def _engine() -> Check:
    problem = engine_problem()
    if problem is not None:
        return Check("onnxruntime", Status.PROBLEM, str(problem))
    names = (f"{name} {version}" for name, version in installed_engines().items())
    return Check("onnxruntime", Status.OK, ", ".join(names) or "of unknown version")


def _encoder() -> Check:
    name = "H.264 encoder"
    try:
        import av
    except ImportError as error:
        return Check(name, Status.PROBLEM, f"PyAV: {error}", "pip install --force-reinstall av")
    try:
        av.codec.Codec(H264_ENCODER, "w")
    except ValueError:
        detail = f"PyAV {av.__version__} was built without {H264_ENCODER}"
        fix = "pip install --force-reinstall --only-binary av av"
        return Check(name, Status.PROBLEM, detail, fix)
    return Check(name, Status.OK, f"{H264_ENCODER} in PyAV {av.__version__}")


def _backends(model: Path | None, passed_over: list[str]) -> Iterator[Check]:
    """Try each; those that work and that "auto" does not take are added to `passed_over`."""
    for backend in BACKENDS.values():
        reason = backend.missing()
        # A GPU backend may lack its GPU or its package; the CPU's lacks nothing when all is well.
        status = Status.ABSENT if reason and backend.needs_trial else Status.PROBLEM
        detail = "ran one frame"
        if reason is None:
            try:
                path = model or resolve(default_model())
                reason = probe_in_child(backend.name, path)
                if reason is None and backend.must_be_faster:
                    slower = probe_in_child(backend.name, path, rival=path)
                    if slower is not None:
                        passed_over.append(backend.name)
                        detail += f"; auto passes it over: {slower}"
            except FrameliftError as error:
                reason = str(error)
        if reason is None:
            yield Check(backend.name, Status.OK, detail)
        else:
            yield Check(backend.name, status, reason)
