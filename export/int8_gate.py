"""int8 of an exported model, held to a PSNR drop and compared in speed with fp32."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median
from time import perf_counter_ns
from typing import Any

import numpy as np
import onnx

from ..imaging.errors import ExportError
from ..imaging.quality import SetQuality, evaluate
from ..runtime import Upscaler
from ..runtime.notes import Say
from .calibration import Frames, crop, read_frames, record
from .int8 import METHODS, Calibrated, calibrate, quantise

QUALITY_PX = 512  # held-out frames are judged on their middle
MAX_DROP_DB = 0.15
EQUAL_DB = 100.0
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
    quality_images: int
    psnr_fp32_db: float
    psnr_int8_db: float
    fp32_ms: float
    int8_ms: float
    time_ratio: float  # median over pairs of int8's time ÷ fp32's, same run

    @property
    def drop_db(self) -> float:
        """How much lower the PSNR on the quality set is."""
        return self.psnr_fp32_db - self.psnr_int8_db

    def record(self) -> dict[str, Any]:
        """The numbers, for the metadata."""
        numbers = asdict(self)
        del numbers["model"]
        return {
            key: round(value, 4) if isinstance(value, float) else value
            for key, value in {**numbers, "drop_db": self.drop_db}.items()
        }

    def speed_line(self) -> str:
        """One line on the speed, for the user."""
        measured = (
            f"{self.int8_ms:.1f} ms, fp32 {self.fp32_ms:.1f} ms on onnx-cpu here: "
            f"{self.time_ratio:.2f} times the time"
        )
        if self.time_ratio < 1 and self.int8_ms < self.fp32_ms:
            return f"int8 is faster: {measured}"
        if self.time_ratio < 1 or self.int8_ms < self.fp32_ms:  # pairs and medians disagree
            return f"int8 is about as fast as fp32: {measured}"
        hint = "" if self.form == "uint8" else "; for ONNX Runtime's CPU give --target onnxruntime"
        return f"int8 is NOT faster: {measured}{hint}"


def to_int8(
    model: onnx.ModelProto,
    describe: Describe,
    scale: int,
    multiple: int,
    calibration: Path,
    quality_set: Path | None,
    max_drop_db: float,
    say: Say,
    *,
    symmetric: bool,
) -> Quantised:
    """Quantise a contract-2 fp32 model on the frames of a folder or video, and judge the result.

    `describe` writes the framelift metadata into a model, without which the runtime refuses it.
    Quality is the drop of Y-PSNR on the originals in `quality_set`, or without one, on every
    fourth calibration frame, which is then kept out of the calibration. `say` is told of images
    that are not used. Raises InputError, and ExportError if the drop is above `max_drop_db`.
    """
    frames = read_frames(calibration, 8 * scale * multiple, say)
    if quality_set is None:
        held = [crop_to(frame, QUALITY_PX, scale * multiple) for frame in frames[1::4]]
        frames = [frame for index, frame in enumerate(frames) if index % 4 != 1]
    else:
        least = 8 * scale * multiple
        held = [crop_to(f, None, scale * multiple) for f in read_frames(quality_set, least, say)]
    crops = [crop(frame, multiple) for frame in frames]
    calibrated = calibrate(model, crops)
    method, quantised = _best(calibrated, crops[::4], symmetric=symmetric)
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, candidate in (("fp32", model), ("int8", quantised)):
            described = onnx.ModelProto()
            described.CopyFrom(candidate)
            describe(described)
            paths.append(Path(folder) / f"{name}.onnx")
            paths[-1].write_bytes(described.SerializeToString())
        with Upscaler.load(paths[0], "onnx-cpu") as fp32, Upscaler.load(paths[1], "onnx-cpu") as q:
            images = [(str(index), image) for index, image in enumerate(held)]
            scores = [mean_psnr(evaluate(images, upscale, scale)) for upscale in (fp32, q)]
            pairs = _times(fp32, q)
    result = Quantised(
        quantised,
        "int8, zero point 0" if symmetric else "uint8",
        method,
        len(crops),
        len(held),
        scores[0],
        scores[1],
        median(a for a, _ in pairs),
        median(b for _, b in pairs),
        median(b / a for a, b in pairs),
    )
    if not result.drop_db <= max_drop_db:
        finer = ", --target onnxruntime (8 bits instead of 7)" if symmetric else ""
        raise ExportError(
            f"int8 loses {result.drop_db:.3f} dB on {len(held)} images ({scores[0]:.2f} to "
            f"{scores[1]:.2f} dB, limit {max_drop_db:g}): calibrate on frames that are more like "
            f"what will be upscaled{finer}, or use --precision fp16; nothing was written"
        )
    return result


def mean_psnr(scores: SetQuality) -> float:
    """The mean PSNR in dB, in which an equal image counts as 100 dB: one of infinity would hide
    what all others lose.
    """
    return fmean(min(image.psnr_db, EQUAL_DB) for image in scores.images)


def crop_to(frame: Frames, side_px: int | None, multiple: int) -> Frames:
    """The middle of a frame: sides of at most `side_px`, cut to a multiple."""
    spans = []
    for side in frame.shape[:2]:
        kept = min(side, side_px or side) // multiple * multiple
        spans.append(slice((side - kept) // 2, (side + kept) // 2))
    return np.ascontiguousarray(frame[spans[0], spans[1]])


def _best(
    calibrated: Calibrated, frames: Sequence[Frames], *, symmetric: bool
) -> tuple[str, onnx.ModelProto]:
    """The range method that changes the output least on calibration frames."""
    candidates = {
        name: quantise(calibrated, share, symmetric=symmetric) for name, share in METHODS.items()
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
