"""Makes an engine of a model for a GPU of this machine, or takes it from the cache."""

from __future__ import annotations

import time
from pathlib import Path

from ...common.errors import BackendError
from ...common.files import atomic_output, check_target
from ...common.sealed import ENGINE, read_sealed
from ..gpu.facts import DeviceFacts
from ..gpu.shapes import ShapeProfile, check_profile
from ..models.file import ModelSpec
from .bindings.library import load_tensorrt
from .bindings.rtx import load_rtx
from .cache.folder import CachedEngine, EngineCache
from .cache.key import RTX, BuilderOptions, EngineKey
from .cache.sidecar import Sidecar, read_sidecar, sidecar_beside
from .phases import BuildProgress
from .provide import Built, Provided, describe, provide


def build_progress(spec: ModelSpec, profile: ShapeProfile) -> BuildProgress:
    """What shows, on the standard error output, how far a build is, and can cancel it."""
    return BuildProgress(f"building the engine of {spec.name} for {profile}")


def make_engine(
    spec: ModelSpec,
    profile: ShapeProfile,
    options: BuilderOptions,
    progress: BuildProgress,
    *,
    device: int = 0,
    cache: EngineCache | None = None,
    rebuild: bool = False,
) -> Provided:
    """The engine of `spec` for the shapes of `profile` on GPU number `device`.

    With `rebuild`, a cached engine is replaced.

    Raises:
        ConfigError: the model does not take these shapes.
        MissingDependencyError: TensorRT or cuda-python is not installed.
        BackendError: TensorRT cannot be loaded, there is no such GPU, or the build failed.
        ModelError: TensorRT cannot take the model.
    """
    check_profile(profile, spec)
    library = load_tensorrt()
    from ..gpu.cuda import device_facts, select_device
    from .build import Job, build_engine

    select_device(device)
    key = EngineKey(spec.sha256, library.version, device_facts(device), profile, options)

    def build(timings: bytes) -> Built:
        return build_engine(library, Job(spec, profile, options, device, timings), progress)

    return provide(spec, key, cache or EngineCache(), build, rebuild=rebuild)


def make_rtx_engine(
    spec: ModelSpec,
    profile: ShapeProfile,
    options: BuilderOptions,
    progress: BuildProgress,
    capability: str,
) -> Provided:
    """An engine of TensorRT for RTX for GPUs of a compute capability, such as "SM89".

    Needs no GPU. It takes a second, so that nothing is kept in the cache. Raises as `make_engine`.
    """
    check_profile(profile, spec)
    library = load_rtx()
    from .build import Job, build_engine

    digits = capability.removeprefix("SM")
    device = DeviceFacts(f"any of {capability}", f"{digits[:-1]}.{digits[-1]}", "any")
    key = EngineKey(spec.sha256, f"{RTX}{library.version}", device, profile, options)
    start = time.perf_counter()
    built = build_engine(library, Job(spec, profile, options, capability), progress)
    sidecar = describe(spec, key, built, time.perf_counter() - start)
    return Provided(CachedEngine(built.plan, sidecar, None), built=True)


def write_plan(provided: Provided, target: Path, *, overwrite: bool = False) -> None:
    """Write an engine as TensorRT's own tools read it, without seal, with its sidecar beside it.

    Raises OutputError.
    """
    check_target(target, overwrite=overwrite)
    with (
        sidecar_beside(target, provided.engine.sidecar),
        atomic_output(target, overwrite=overwrite) as temporary,
    ):
        temporary.write_bytes(provided.engine.plan)


def read_plan(path: Path) -> tuple[bytes, Sidecar]:
    """The plan and description of an engine file, from the cache or written by `write_plan`.

    Raises BackendError if it is missing, damaged, or not the one that its sidecar describes.
    """
    try:
        plan = path.read_bytes()
        if plan.startswith(ENGINE):
            plan = read_sealed(path, ENGINE)
    except OSError as error:
        raise BackendError(f"{path} cannot be read: {error.strerror}") from error
    sidecar = read_sidecar(path)
    if not sidecar.describes(plan):
        raise BackendError(
            f"{path} is not the engine that its .json beside it describes, or is damaged: build "
            "it again"
        )
    return plan, sidecar
