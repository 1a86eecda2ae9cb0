"""Builds TensorRT engines, with 10.16 and 11.x alike.

Networks are strongly typed: precision is what the ONNX graph says, never a builder flag. Import
after `library.require_tensorrt`. Checked against the signatures of TensorRT 10.16 and 11.4; the
`gpu` tests run it, which needs hardware.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, SupportsInt, cast

import tensorrt as trt

from ...imaging.errors import BackendError, ModelError
from ..model_file import INPUT, OUTPUT, ModelSpec, load
from .cancel import run_cancellable
from .cuda import select_device
from .key import BuilderOptions
from .library import tensorrt_version
from .parser_errors import ParserProblem, parser_message
from .phases import BuildProgress
from .precision import PrecisionReport, check_precision, convolution_types, layer_count
from .provide import Built
from .shapes import ShapeProfile

if TYPE_CHECKING:
    from typing_extensions import Buffer

VERSION = tensorrt_version()


class Log(trt.ILogger):
    """Keeps TensorRT's complaints for the error that follows them; prints nothing."""

    def __init__(self) -> None:
        trt.ILogger.__init__(self)
        self.errors: list[str] = []

    def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
        """Called by TensorRT, from any thread."""
        if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
            self.errors.append(" ".join(msg.split()))

    def reason(self) -> str:
        """The first complaint; later ones are its consequences."""
        return self.errors[0] if self.errors else "TensorRT gives no reason"


class _Monitor(trt.IProgressMonitor):
    """Passes TensorRT's reports on; nothing may be raised through its native frames."""

    def __init__(self, progress: BuildProgress) -> None:
        trt.IProgressMonitor.__init__(self)
        self._progress = progress

    def phase_start(
        self, phase_name: str, parent_phase: str | None, num_steps: SupportsInt
    ) -> None:
        self._progress.phase_start(phase_name, parent_phase, int(num_steps))

    def step_complete(self, phase_name: str, step: SupportsInt) -> bool:
        return self._progress.step_complete(phase_name, int(step))

    def phase_finish(self, phase_name: str) -> None:
        self._progress.phase_finish(phase_name)


def build_engine(
    spec: ModelSpec,
    profile: ShapeProfile,
    options: BuilderOptions,
    device: int,
    timings: bytes,
    progress: BuildProgress,
) -> Built:
    """Build an engine of a model for GPU number `device`.

    `timings` is an earlier build's timing cache, or empty. Ctrl-C ends the build.

    Raises:
        ModelError: TensorRT cannot take the model; the message names the nodes.
        BackendError: no such GPU, or the build failed, or the engine does not run in the model's
            precision.
    """
    return run_cancellable(
        lambda: _build(spec, profile, options, device, timings, progress), progress.cancel
    )


def _build(
    spec: ModelSpec,
    profile: ShapeProfile,
    options: BuilderOptions,
    device: int,
    timings: bytes,
    progress: BuildProgress,
) -> Built:
    select_device(device)  # CUDA's current device belongs to the thread, and this is a new one
    log = Log()
    builder = _builder(log)
    data = spec.path.read_bytes()
    # The question fills the network it is asked about, and a parser wants an empty one.
    question = trt.OnnxParser(builder.create_network(_network_flags()), log)
    if not question.supports_model_v2(data, str(spec.path.resolve())):
        raise ModelError(parser_message(VERSION, str(spec.path), _problems(question)))
    network = builder.create_network(_network_flags())
    parser = trt.OnnxParser(network, log)
    if not parser.parse(data, str(spec.path.resolve())):
        raise ModelError(parser_message(VERSION, str(spec.path), _problems(parser)))
    config = builder.create_builder_config()
    _configure(builder, config, profile, options)
    _set_timings(config, timings)
    config.progress_monitor = _Monitor(progress)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        ended = "the build was cancelled" if progress.cancelled else log.reason()
        raise BackendError(f"TensorRT {VERSION} cannot build {spec.name} for {profile}: {ended}")
    serialised = bytes(cast("Buffer", plan))
    precision, layers, memory = _inspect(spec, serialised, log)
    learnt = bytes(cast("Buffer", config.get_timing_cache().serialize()))
    return Built(serialised, learnt, precision, layers, memory)


def _builder(log: Log) -> trt.Builder:
    try:
        return trt.Builder(log)
    except (TypeError, RuntimeError) as error:  # pybind's words for "the native side gave null"
        reason = log.reason() if log.errors else str(error)
        raise BackendError(f"TensorRT {VERSION} cannot start on this GPU: {reason}") from error


def _network_flags() -> int:
    """Strongly typed. TensorRT 11 knows nothing else and needs no flag."""
    if int(VERSION.partition(".")[0]) >= 11:
        return 0
    return 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)


def _configure(
    builder: trt.Builder, config: trt.IBuilderConfig, profile: ShapeProfile, options: BuilderOptions
) -> None:
    shapes = builder.create_optimization_profile()
    least, usual, most = profile.least.tensor(), profile.usual.tensor(), profile.most.tensor()
    shapes.set_shape(INPUT, least, usual, most)
    if config.add_optimization_profile(shapes) < 0:
        raise BackendError(f"TensorRT {VERSION} refuses the shapes {profile} for this model")
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


def _set_timings(config: trt.IBuilderConfig, timings: bytes) -> None:
    # A cache of another GPU or version is refused with False, not with an exception.
    if not config.set_timing_cache(config.create_timing_cache(timings), False) and timings:
        config.set_timing_cache(config.create_timing_cache(b""), False)


def _problems(parser: trt.OnnxParser) -> list[ParserProblem]:
    errors: list[trt.ParserError] = [parser.get_error(index) for index in range(parser.num_errors)]
    return [
        ParserProblem(
            error.node_name(), error.node_operator(), _code_name(error.code()), error.desc()
        )
        for error in errors
    ]


def _code_name(code: trt.ErrorCode) -> str:
    return str(code.name)


def _inspect(spec: ModelSpec, plan: bytes, log: Log) -> tuple[PrecisionReport, int, int]:
    """What the finished engine says of itself: precision, layers, bytes of activations."""
    runtime = trt.Runtime(log)
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise BackendError(f"TensorRT {VERSION} cannot read its own engine: {log.reason()}")
    for name in (INPUT, OUTPUT):
        if engine.get_tensor_dtype(name) != trt.DataType.UINT8:
            raise BackendError(f"TensorRT {VERSION} changed the type of {name}: it must be uint8")
    inspection = engine.create_engine_inspector().get_engine_information(
        trt.LayerInformationFormat.JSON
    )
    report = check_precision(spec.name, inspection, convolution_types(load(spec.path)[1]))
    return report, layer_count(inspection), engine.device_memory_size_v2
