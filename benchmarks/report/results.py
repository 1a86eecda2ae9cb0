"""The results of each kind of report, as types.

Times are in milliseconds and sizes in bytes unless the name says otherwise; null is unknown or not
finite.
"""

from __future__ import annotations

from statistics import median
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta

from ..machine.monitor import Conditions
from ..machine.roofline import Roofline
from ..shared.fields import AboveZero, Count, Part, Samples
from ..shared.frames import Agreement
from ..shared.statistics import Summary, summarise
from .settings import Runtime, WithBackend


class Model(Part):
    """The file that was measured."""

    name: str
    file: str
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    scale: Count
    precision: str
    parameters: Count
    network: dict[str, Any]


class Ran(Part):
    """A model, and what ran it."""

    model: Model
    runtime: Runtime

    def __post_init__(self) -> None:
        msgspec.convert(self.runtime, WithBackend)


class Start(Part):
    """In a process of its own. engine_build_ms: of a TensorRT engine, built within the first frame
    or before; null where none is built, or the backend does not report it. device_memory_bytes: by
    how much the use of the GPU's memory grew at most.
    """

    process_ms: float
    load_ms: float
    first_frame_ms: float
    cold_start_ms: float
    peak_rss_bytes: int | None
    device_memory_bytes: int | None
    engine_build_ms: float | None


class Case(Ran):
    """One model on one backend, or as a rival runs it, at one input size and batch."""

    name: str
    rival: bool
    width: Count
    height: Count
    batch: Count
    scale: Count
    latency: Summary
    steady: bool
    warm_up_ms: list[float]
    samples_ms: Samples
    stages_ms: dict[str, float] | None
    start: Start | None
    roofline: Roofline | None
    agreement: Agreement | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Width, height, batch and scale."""
        return self.width, self.height, self.batch, self.scale


class Peak(Part):
    """Per second. operations: the better of the two kinds of arithmetic; copy_bytes: read and
    written.
    """

    provider: str
    precision: str
    threads: Count
    gemm_ops: float
    convolution_ops: float
    copy_bytes: float
    operations: float


class LatencyResults(Part):
    """All cases, measured in turn."""

    cases: Annotated[list[Case], Meta(min_length=1)]
    conditions: Conditions
    peaks: list[Peak]


class Relative(Part):
    """Beside a reference. Ratios above 1 are slower; median_of_ratios pairs calls of a round."""

    latency: Summary
    samples_ms: Samples
    ratio_of_medians: AboveZero
    median_of_ratios: AboveZero

    @classmethod
    def beside(cls, reference_ms: list[float], samples_ms: list[float]) -> Self:
        """Calls are paired round by round, as far as both made them."""
        ratios = (one / other for one, other in zip(samples_ms, reference_ms, strict=False))
        return cls(
            latency=summarise(samples_ms),
            samples_ms=samples_ms,
            ratio_of_medians=median(samples_ms) / median(reference_ms),
            median_of_ratios=median(ratios),
        )


class OverheadResults(Part):
    """Ratios are to the variant `bare`."""

    variants: Annotated[dict[str, Relative], Meta(min_length=1)]
    agreement: Agreement
    conditions: Conditions | None


class EspcnRow(Ran):
    """network: alone, float32 NCHW in and out; frames: uint8 BGR in and out. agreement: of the two
    forms' images.
    """

    scale: Count
    agreement: Agreement
    network: Relative
    frames: Relative


class EspcnResults(Part):
    """references: ESPCN of each scale, the others' unit."""

    models: Annotated[list[EspcnRow], Meta(min_length=1)]
    references: list[EspcnRow]
    conditions: Conditions


class Run(Part):
    """One pass over so many frames."""

    frames: Count
    seconds: float


class VideoRun(Part):
    """fps, occupancy and the share of the pixels that was reused are of the frames that the long
    run has more than the short one.
    """

    frames: Count
    fps: float | None
    start_up_seconds: float | None
    occupancy: dict[str, float | None]
    bottleneck: str
    short: Run
    long: Run
    share_of_inference_rate: float | None = None
    shares_of_inference_rate: tuple[float | None, ...] = ()
    reused_share: float | None = None


class VideoResults(Part):
    """By sink. inference_fps is the rate of the upscaler alone. Of several rounds the one with the
    middle share of that rate is given, with the shares of all.
    """

    runs: Annotated[dict[str, VideoRun], Meta(min_length=1)]
    conditions: Conditions
    inference_fps: float


class ReuseShot(Part):
    """One shot. reused_share: of all pixels those that were not computed again. speed_up: the time
    of all frames but the first without reuse divided by that with it.
    """

    name: str
    width: Count
    height: Count
    frames: Count
    reused_share: float
    speed_up: float
    frame_ms: float
    reusing_frame_ms: float
    different_frames: int


class ReuseResults(Part):
    """Shots with and without exact reuse."""

    shots: Annotated[list[ReuseShot], Meta(min_length=1)]
    conditions: Conditions


class StreamRate(Part):
    """A camera of one rate. glass_to_glass is of the latencies beside it."""

    source_fps: float
    taken: Count
    shown: Count
    shown_fps: float | None
    dropped: Count
    drop_share: float
    unreadable: Count
    glass_to_glass: Summary | None
    jitter_ms: float | None
    latencies_ms: list[AboveZero]


class StreamResults(Part):
    """By rate of the camera."""

    rates: list[StreamRate]
    conditions: Conditions


class TrainResults(Part):
    """Of the steps after the warm-up."""

    images_per_s: float
    data_wait_share: float
    step: Summary
    samples_ms: Samples
    conditions: Conditions | None


class TriedCalls(Part):
    """late: share of the calls that took longer than one frame of the rate may."""

    width: Count
    height: Count
    late: dict[str, float]
    latency: Summary


class TriedFile(Part):
    """From file to file."""

    width: Count
    height: Count
    fps: float | None


Largest = dict[str, tuple[Count, Count] | None]
"""Frame rate to the largest output (width, height) that holds it."""


class Inference(Part):
    """Calls of the upscaler alone."""

    largest: Largest
    tried: list[TriedCalls]


class FileToFile(Part):
    """Decoding, upscaling and encoding at once."""

    largest: Largest
    tried: list[TriedFile]


class RealtimeRow(Ran):
    """One model; file_to_file is null without a video."""

    inference: Inference
    file_to_file: FileToFile | None


class RealtimeResults(Part):
    """All models."""

    models: Annotated[list[RealtimeRow], Meta(min_length=1)]
    conditions: Conditions
