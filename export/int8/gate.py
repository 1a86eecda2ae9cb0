"""int8 of an exported model: calibrated, judged and compared in speed with fp32."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import Any

import numpy as np
import onnx

from ...common.errors import ExportError
from ...common.notes import Say
from ...runtime import Upscaler
from ..parity.comparison import fit
from ..parity.patterns import flat_primaries, saturated
from ..parity.sizes import Sizes
from .calibration import METHODS, Calibrated, calibrate
from .calibration_frames import Frames, crop, crop_to, read_frames, record
from .quantisation import quantise
from .verdict import Verdict, judge

QUALITY_PX = 512  # held-out frames are judged on their middle
SET_PX = 1024  # and those of a quality set
MAX_DROP_DB = 0.15
_ROUNDS = 15
_SPEED_SIZE = (270, 480)
Describe = Callable[[onnx.ModelProto], None]


@dataclass(frozen=True)
class Quantised:
    """An int8 model and what it was chosen and judged by."""

    model: onnx.ModelProto
    form: str
    method: str
    calibration_frames: int
    verdict: Verdict
    fp32_ms: float
    int8_ms: float
    time_ratio: float  # median over pairs of int8's time ÷ fp32's, same run

    def record(self) -> dict[str, object]:
        """The numbers, for the metadata."""
        numbers = {
            "form": self.form,
            "method": self.method,
            "calibration_frames": self.calibration_frames,
            **self.verdict.record(),
            "fp32_ms": self.fp32_ms,
            "int8_ms": self.int8_ms,
            "time_ratio": self.time_ratio,
        }
        return {
            key: round(value, 4) if isinstance(value, float) else value
            for key, value in numbers.items()
        }

    def speed_line(self) -> str:
        """One line on the speed, for the user."""
        measured = (
            f"{self.int8_ms:.1f} ms, fp32 {self.fp32_ms:.1f} ms with onnx-cpu on this machine: "
            f"{self.time_ratio:.2f} times the time"
        )
        if self.time_ratio < 1 and self.int8_ms < self.fp32_ms:
            return f"int8 is faster: {measured}"
        if self.time_ratio < 1 or self.int8_ms < self.fp32_ms:  # pairs and medians disagree
            return f"int8 is about as fast as fp32: {measured}"
        hint = "" if self.form == "uint8" else "; for ONNX Runtime's CPU pass --target onnxruntime"
        return f"int8 is NOT faster: {measured}{hint}"


@dataclass(frozen=True)
class Int8Options:
    """How a model is quantised and judged."""

    calibration: Path
    """A folder or a video, whose frames the model is calibrated on."""
    symmetric: bool
    """See `quantisation`, as for `float_shuffle`."""
    float_shuffle: bool = False
    quality_set: Path | None = None
    """Originals that the result is judged on. Without them every fourth frame of `calibration` is
    used for that, and left out of the calibration."""
    max_drop_db: float = MAX_DROP_DB
    """The most that one image may lose."""


def to_int8(
    model: onnx.ModelProto,
    describe: Describe,
    scale: int,
    sizes: Sizes,
    options: Int8Options,
    say: Say,
) -> Quantised:
    """Quantise a contract-2 fp32 model and judge the result (see `verdict`).

    `describe` writes the framelift metadata into a model, without which the runtime refuses it.
    `sizes` are those of the frames that the model takes. `say` gets a line for images that are not
    used. Raises InputError, and ExportError if one image loses too much or extreme colours are not
    kept.
    """
    quality_set, symmetric = options.quality_set, options.symmetric
    step = scale * sizes.multiple
    frames = read_frames(options.calibration, 8 * step, say)
    if quality_set is None:
        held = [crop_to(frame, QUALITY_PX, step) for frame in frames[1::4]]
        frames = [frame for index, frame in enumerate(frames) if index % 4 != 1]
    else:
        held = [crop_to(frame, SET_PX, step) for frame in read_frames(quality_set, 8 * step, say)]
    crops = [crop(frame, sizes.multiple) for frame in frames]
    extremes = [fit(pattern, sizes) for pattern in (*flat_primaries().values(), saturated())]
    calibrated = calibrate(model, crops, extremes)
    method, quantised = _best(calibrated, [*crops[::4], *extremes], options)
    images = [(f"image {index} of {len(held)}", image) for index, image in enumerate(held, 1)]
    verdict = judge(model, quantised, images, scale, sizes)
    failure = verdict.failure(options.max_drop_db)
    if failure is not None:
        finer = ", --target onnxruntime (8 bits instead of 7)" if symmetric else ""
        raise ExportError(
            f"{failure}: calibrate on frames that are more like what will be upscaled{finer}, or "
            "use --precision fp16; nothing was written"
        )
    pairs = _paired_times(model, quantised, describe)
    return Quantised(
        quantised,
        "int8, zero point 0" if symmetric else "uint8",
        method,
        len(crops),
        verdict,
        median(a for a, _ in pairs),
        median(b for _, b in pairs),
        median(b / a for a, b in pairs),
    )


def _best(
    calibrated: Calibrated, frames: Sequence[Frames], options: Int8Options
) -> tuple[str, onnx.ModelProto]:
    """The range method that changes the output least on calibration frames."""
    candidates = {
        name: quantise(
            calibrated, share, symmetric=options.symmetric, float_shuffle=options.float_shuffle
        )
        for name, share in METHODS.items()
    }
    if all(model == candidates["minmax"] for model in candidates.values()):
        return "minmax", candidates["minmax"]  # all activations are equalised
    wanted = _outputs(calibrated.model, frames)
    errors = {
        name: sum(
            float(np.square(a.astype(np.float64) - b).mean())
            for a, b in zip(wanted, _outputs(model, frames), strict=True)
        )
        for name, model in candidates.items()
    }
    best = min(errors, key=errors.__getitem__)
    return best, candidates[best]


def _outputs(model: onnx.ModelProto, frames: Iterable[Frames]) -> list[np.ndarray[Any, Any]]:
    return [values["upscaled"] for values in record(model, ["upscaled"], list(frames))]


def _paired_times(
    fp32: onnx.ModelProto, int8: onnx.ModelProto, describe: Describe
) -> list[tuple[float, float]]:
    """`_times` of two models in framelift's own runtime, as which they will be run."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, candidate in (("fp32", fp32), ("int8", int8)):
            described = onnx.ModelProto()
            described.CopyFrom(candidate)
            describe(described)
            paths.append(Path(folder) / f"{name}.onnx")
            paths[-1].write_bytes(described.SerializeToString())
        with Upscaler.load(paths[0], "onnx-cpu") as one, Upscaler.load(paths[1], "onnx-cpu") as two:
            return _times(one, two)


def _times(fp32: Upscaler, int8: Upscaler) -> list[tuple[float, float]]:
    """Milliseconds of one frame on each, in turn, in one run."""
    count, height, width = fp32.spec.frame_shape
    multiple, scale = fp32.spec.size_multiple, fp32.scale
    sides = [-(-side // multiple) * multiple for side in _SPEED_SIZE]
    shape = (count or 1, height or sides[0], width or sides[1], 3)
    frames = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    out = np.empty((shape[0], scale * shape[1], scale * shape[2], 3), np.uint8)
    for upscaler in (fp32, int8, fp32, int8):
        upscaler(frames, out=out)

    def once(upscaler: Upscaler) -> float:
        start = perf_counter_ns()
        upscaler(frames, out=out)
        return (perf_counter_ns() - start) / 1e6

    return [(once(fp32), once(int8)) for _ in range(_ROUNDS)]
