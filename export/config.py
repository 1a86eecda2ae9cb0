"""How to export a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..common.errors import ConfigError
from ..runtime.models.contract import DEEP_BITS
from .check.targets import TARGETS, parse_targets

PRECISIONS = ("fp32", "fp16", "int8")
DEPTHS = (8, DEEP_BITS)


@dataclass(frozen=True)
class ExportConfig:
    """How to export. Raises ConfigError for values that make no sense.

    Attributes:
        opset: ONNX opset; None picks the best one that all `targets` read.
        targets: where the model must run, such as "onnxruntime" or "tensorrt11".
        precision: "fp32", "fp16" or "int8".
        depth: bits per channel of the frames: 8 (uint8) or 16 (uint16, 0 to 65535).
        size: height and width of the frames; None accepts any size.
        batch: frames at a time; None accepts any number.
        calibration: folder of images, or a video, to calibrate int8 on. int8 needs it.
        quality_set: folder of images to judge int8 on; None uses some of `calibration`.
        max_drop_db: PSNR that int8 may lose on these images; None is 0.15.
        licence: licence of the weights, stored in the metadata.
        overwrite: replace an existing file.
    """

    opset: int | None = None
    targets: tuple[str, ...] = TARGETS
    precision: str = "fp32"
    depth: int = 8
    size: tuple[int, int] | None = None
    batch: int | None = None
    calibration: Path | None = None
    quality_set: Path | None = None
    max_drop_db: float | None = None
    licence: str = ""
    overwrite: bool = False

    def __post_init__(self) -> None:
        parse_targets(self.targets)
        if self.precision not in PRECISIONS:
            known = ", ".join(PRECISIONS)
            raise ConfigError(f"unknown precision {self.precision!r}: use one of {known}")
        self._check_depth()
        if self.batch is not None and self.batch < 1:
            raise ConfigError(f"batch is {self.batch}: use 1 or more")
        if self.size is not None and min(self.size) < 1:
            raise ConfigError(f"size is {self.size[0]}x{self.size[1]}: sides start at 1")
        if self.precision == "int8" and self.calibration is None:
            raise ConfigError(
                "int8 needs frames to be calibrated on: pass --calibration FOLDER or VIDEO"
            )
        judged_by = (self.calibration, self.quality_set, self.max_drop_db)
        if self.precision != "int8" and any(value is not None for value in judged_by):
            raise ConfigError(
                "--calibration, --quality-set and --max-drop are for --precision int8: pass it, too"
            )

    def _check_depth(self) -> None:
        if self.depth not in DEPTHS:
            raise ConfigError(f"depth is {self.depth}: use 8 or 16")
        if self.depth == 8:
            return
        if self.precision == "int8":
            raise ConfigError("int8 has 8 bits: use --depth 16 with --precision fp32 or fp16")
        without = [target for target in self.targets if target.startswith("tensorrt")]
        if without and self.targets != TARGETS:
            raise ConfigError(
                f"TensorRT has no uint16, so that {without[0]} cannot run a model of --depth 16: "
                "leave this target out (Framelift runs the model on TensorRT, as bytes)"
            )

    @property
    def readers(self) -> tuple[str, ...]:
        """The targets that can run the file as it is written."""
        if self.depth == 8:
            return self.targets
        return tuple(target for target in self.targets if not target.startswith("tensorrt"))
