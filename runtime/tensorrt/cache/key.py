"""What an engine depends on. If any of it differs, another engine is needed."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from ....common.errors import ConfigError
from ...gpu.facts import DeviceFacts
from ...gpu.shapes import ShapeProfile, parse_profile

MAX_LEVEL = 5
RTX = "RTX "
"""What the version of TensorRT for RTX begins with in a key."""


@dataclass(frozen=True)
class BuilderOptions:
    """How an engine is built.

    `level` is TensorRT's builder optimisation level, 0 (quick to build) to 5 (tries most).
    `tf32` lets float32 convolutions round their inputs to 10 bits: faster, and no longer equal to
    the model within one code value. `max_aux_streams` limits the streams that TensorRT adds to the
    one it is run on; 0 is best for CUDA graphs, None leaves the choice to TensorRT.
    """

    level: int = 3
    tf32: bool = False
    max_aux_streams: int | None = 0

    def __post_init__(self) -> None:
        if not 0 <= self.level <= MAX_LEVEL:
            raise ConfigError(f"level is {self.level}: use 0 to {MAX_LEVEL}")
        if self.max_aux_streams is not None and self.max_aux_streams < 0:
            raise ConfigError(f"max_aux_streams is {self.max_aux_streams}: use 0 or more")


@dataclass(frozen=True)
class EngineKey:
    """All that changes an engine."""

    onnx_sha256: str
    tensorrt: str
    device: DeviceFacts
    profile: ShapeProfile
    options: BuilderOptions

    def record(self) -> dict[str, object]:
        """As JSON values; `from_record` reads it."""
        return {
            "onnx_sha256": self.onnx_sha256,
            "tensorrt": self.tensorrt,
            **asdict(self.device),
            "shapes": str(self.profile),
            **asdict(self.options),
        }

    def digest(self) -> str:
        """16 hexadecimal digits of a hash of the whole key."""
        canonical = json.dumps(self.record(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def stem(self, model_name: str) -> str:
        """A file name without suffix: readable parts, then the digest, which decides."""
        parts = (
            model_name,
            str(self.profile).replace(":", "_"),
            f"trt{self.tensorrt}",
            self.device.gpu,
            self.digest(),
        )
        return "-".join(_slug(part) for part in parts)

    @property
    def is_rtx(self) -> bool:
        """Whether it is an engine of TensorRT for RTX, which TensorRT does not read."""
        return self.tensorrt.startswith(RTX)

    def fits(self, other: EngineKey) -> bool:
        """Whether the two differ in nothing but the shapes."""
        mine, theirs = self.record(), other.record()
        return {**mine, "shapes": ""} == {**theirs, "shapes": ""}


def key_from_record(record: dict[str, Any]) -> EngineKey:
    """The key that `EngineKey.record` wrote. Raises KeyError, TypeError or ConfigError."""
    return EngineKey(
        onnx_sha256=record["onnx_sha256"],
        tensorrt=record["tensorrt"],
        device=DeviceFacts(record["gpu"], record["compute_capability"], record["driver"]),
        profile=parse_profile(record["shapes"]),
        options=BuilderOptions(record["level"], record["tf32"], record["max_aux_streams"]),
    )


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "_", text).strip("_.") or "x"
