"""Reads back from a finished engine what it runs, since a builder may ignore what it is asked."""

from __future__ import annotations

from dataclasses import dataclass

from ...common.errors import BackendError
from ..models.contract import INPUT, OUTPUT
from ..models.file import ModelSpec
from .bindings.entry import Entry
from .cache.precision import PrecisionReport, check_precision, convolution_types, layer_count


@dataclass(frozen=True)
class EngineFacts:
    """The facts of an engine; None where only the GPU that it is for could show them."""

    precision: PrecisionReport
    layers: int | None
    device_memory_bytes: int | None
    """What activations take at most."""


def inspect(entry: Entry, spec: ModelSpec, plan: bytes) -> EngineFacts:
    """Load the engine on the current GPU and ask it.

    Raises BackendError if it cannot be loaded, does not take and give uint8, or does not run in the
    model's precision.
    """
    library, trt = entry.library, entry.library.trt
    runtime = entry.runtime()
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise BackendError(f"{library} cannot read its own engine: {entry.complaints.reason()}")
    for name in (INPUT, OUTPUT):
        if engine.get_tensor_dtype(name) != trt.DataType.UINT8:
            raise BackendError(f"{library} changed the type of {name}: it must be uint8")
    inspector = engine.create_engine_inspector()
    inspection = inspector.get_engine_information(trt.LayerInformationFormat.JSON)
    report = check_precision(spec.name, inspection, _convolutions(spec))
    return EngineFacts(report, layer_count(inspection), engine.device_memory_size_v2)


def unverified(spec: ModelSpec) -> EngineFacts:
    """What is known of an engine for the GPU of another machine."""
    return EngineFacts(PrecisionReport(len(_convolutions(spec)), 0, 0, ()), None, None)


def _convolutions(spec: ModelSpec) -> dict[str, str]:
    return convolution_types(spec.model())
