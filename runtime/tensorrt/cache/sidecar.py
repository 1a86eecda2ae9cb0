"""The JSON file beside an engine: what it was built from, for and with, and what was verified."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ....common.errors import BackendError, ConfigError
from ....common.files import atomic_output
from .key import EngineKey, key_from_record
from .precision import PrecisionReport, report_from_record

FORMAT = 1


@dataclass(frozen=True)
class Sidecar:
    """What is known about a built engine.

    `plan_sha256` is that of the engine without seal. `built_at` is in UTC, ISO 8601. `layers` and
    `device_memory_bytes` (of activations, at most) are None for an engine that was built for the
    GPU of another machine.
    """

    key: EngineKey
    model: str
    model_precision: str
    scale: int
    built_at: str
    build_seconds: float
    size_bytes: int
    plan_sha256: str
    layers: int | None
    device_memory_bytes: int | None
    precision: PrecisionReport

    def describes(self, plan: bytes) -> bool:
        """Whether this is the engine that was meant."""
        return hashlib.sha256(plan).hexdigest() == self.plan_sha256

    def document(self) -> dict[str, object]:
        """As JSON values."""
        return {
            "format": FORMAT,
            "model": self.model,
            "model_precision": self.model_precision,
            "scale": self.scale,
            "key": self.key.record(),
            "digest": self.key.digest(),
            "built_at": self.built_at,
            "build_seconds": self.build_seconds,
            "size_bytes": self.size_bytes,
            "plan_sha256": self.plan_sha256,
            "layers": self.layers,
            "device_memory_bytes": self.device_memory_bytes,
            "precision": self.precision.record(),
        }


def sidecar_path(engine: Path) -> Path:
    """Where the sidecar of an engine lies."""
    return engine.with_name(engine.name + ".json")


@contextmanager
def sidecar_beside(engine: Path, sidecar: Sidecar) -> Iterator[None]:
    """Write it beside the engine that the block writes to `engine`: both are there, or neither.

    Raises OutputError.
    """
    text = json.dumps(sidecar.document(), indent=2, ensure_ascii=False) + "\n"
    written = False
    try:
        with atomic_output(sidecar_path(engine), overwrite=True) as temporary:
            temporary.write_text(text, encoding="utf-8")
            yield
            written = True
    except BaseException:
        if written:  # an engine without description would be of no use
            engine.unlink(missing_ok=True)
        raise


def read_sidecar(engine: Path) -> Sidecar:
    """The sidecar of an engine file. Raises BackendError if it is missing or no such document."""
    path = sidecar_path(engine)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise BackendError(
                f"{path} has format {document['format']}, this framelift reads {FORMAT}: build the "
                "engine again"
            )
        return Sidecar(
            key=key_from_record(document["key"]),
            model=str(document["model"]),
            model_precision=str(document["model_precision"]),
            scale=int(document["scale"]),
            built_at=str(document["built_at"]),
            build_seconds=float(document["build_seconds"]),
            size_bytes=int(document["size_bytes"]),
            plan_sha256=str(document["plan_sha256"]),
            layers=_known(document["layers"]),
            device_memory_bytes=_known(document["device_memory_bytes"]),
            precision=report_from_record(document["precision"]),
        )
    except OSError as error:
        raise BackendError(
            f"{path} cannot be read ({error.strerror}): an engine needs the file that was written "
            "with it"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, ConfigError) as error:
        raise BackendError(f"{path} is not a description of an engine: build it again") from error


def _known(value: object) -> int | None:
    return None if value is None else int(str(value))
