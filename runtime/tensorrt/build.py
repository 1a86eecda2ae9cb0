"""Builds engines with TensorRT 10.16 and 11.x, and with TensorRT for RTX, alike.

Networks are strongly typed: precision is what the ONNX graph says, never a builder flag. The tests
marked `compile` build with NVIDIA's TensorRT for RTX, without a GPU; those marked `gpu` build with
TensorRT itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ...common.errors import BackendError
from ...common.signals import call_interruptibly
from ..gpu.shapes import ShapeProfile
from ..models.contract import INPUT
from ..models.file import ModelSpec
from .bindings.entry import Entry
from .bindings.library import Library
from .cache.key import BuilderOptions
from .parse import parse_model
from .phases import BuildProgress, monitor_of
from .provide import Built
from .verify import inspect, unverified

if TYPE_CHECKING:
    import tensorrt
    from typing_extensions import Buffer


@dataclass(frozen=True)
class Job:
    """What to build an engine of, and for.

    `gpu` is the number of the GPU of this machine that the engine is built on and for, or for
    TensorRT for RTX the compute capability of any machine's, such as "SM89". `timings` is an
    earlier build's timing cache, or empty.
    """

    spec: ModelSpec
    profile: ShapeProfile
    options: BuilderOptions
    gpu: int | str
    timings: bytes = b""


def build_engine(library: Library, job: Job, progress: BuildProgress) -> Built:
    """Build an engine. Ctrl-C ends the build.

    Raises:
        ModelError: TensorRT cannot take the model; the message names the nodes.
        BackendError: no such GPU, or the build failed, or the engine does not run in the model's
            precision.
    """
    return call_interruptibly(lambda: _build(library, job, progress), progress.cancel)


def _build(library: Library, job: Job, progress: BuildProgress) -> Built:
    if isinstance(job.gpu, int):
        from ..gpu.cuda import select_device

        select_device(job.gpu)  # CUDA's current device belongs to the thread, and this is a new one
    entry = Entry(library)
    builder = entry.builder()
    parsed = parse_model(entry, builder, job.spec)
    config = builder.create_builder_config()
    _configure(library, config, job)
    _add_profile(library, builder, config, job.profile)
    timings = _set_timings(library, config, job.timings)
    monitor = monitor_of(library, progress)
    config.progress_monitor = monitor
    plan = builder.build_serialized_network(parsed.network, config)
    if plan is None:
        ended = "the build was cancelled" if progress.cancelled else entry.complaints.reason()
        raise BackendError(f"{library} cannot build {job.spec.name} for {job.profile}: {ended}")
    serialised = bytes(cast("Buffer", plan))
    learnt = b""
    if timings is not None:
        learnt = bytes(cast("Buffer", config.get_timing_cache().serialize()))
    if isinstance(job.gpu, str):
        return Built(serialised, learnt, unverified(job.spec))
    return Built(serialised, learnt, inspect(entry, job.spec, serialised))


def _configure(library: Library, config: tensorrt.IBuilderConfig, job: Job) -> None:
    trt, options = library.trt, job.options
    if isinstance(job.gpu, str):
        _build_for(library, config, job.gpu)
    if options.tf32:
        config.set_flag(trt.BuilderFlag.TF32)
    else:
        config.clear_flag(trt.BuilderFlag.TF32)  # it is on by default
    config.builder_optimization_level = options.level
    if options.max_aux_streams is not None:
        config.max_aux_streams = options.max_aux_streams
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED  # the inspector's types need it
    # The runner then allocates what the frames at hand need, not what the largest would.
    config.set_preview_feature(trt.PreviewFeature.RUNTIME_ACTIVATION_RESIZE_10_10, True)


def _build_for(
    library: Library,
    config: Any,  # noqa: ANN401 - what TensorRT for RTX adds to IBuilderConfig has no stubs
    capability: str,
) -> None:
    known = library.trt.ComputeCapability.__members__
    config.num_compute_capabilities = 1
    if capability not in known or not config.set_compute_capability(known[capability], 0):
        names = ", ".join(name for name in known if name.startswith("SM"))
        raise BackendError(f"{library} builds for no GPU of {capability}: use one of {names}")


def _add_profile(
    library: Library,
    builder: tensorrt.Builder,
    config: tensorrt.IBuilderConfig,
    profile: ShapeProfile,
) -> None:
    shapes = builder.create_optimization_profile()
    least, usual, most = profile.least.tensor(), profile.usual.tensor(), profile.most.tensor()
    shapes.set_shape(INPUT, least, usual, most)
    if config.add_optimization_profile(shapes) < 0:
        raise BackendError(f"{library} refuses the shapes {profile} for this model")


def _set_timings(
    library: Library, config: tensorrt.IBuilderConfig, timings: bytes
) -> tensorrt.ITimingCache | None:
    """The timing cache to build with, which has to live as long as the build.

    None for TensorRT for RTX, which times nothing.
    """
    if library.rtx:
        return None
    cache = config.create_timing_cache(timings)
    # A cache of another GPU or version is refused with False, not with an exception.
    if not config.set_timing_cache(cache, False) and timings:
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, False)
    return cache
