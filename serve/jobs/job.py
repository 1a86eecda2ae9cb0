"""A job: one uploaded file, its options, and what became of it."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypedDict

import msgspec

from ...common.errors import InputError
from .names import is_picture, media_type

SCHEMA = 1


class State(StrEnum):
    """What a job is doing. A job that is cancelled is gone."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen."""
        return self in (State.DONE, State.FAILED)


@dataclass
class Progress:
    """How far a running job is."""

    frames: int = 0
    total: int | None = None
    """Frames of the whole clip, as far as its header shows."""
    fps: float = 0.0

    def document(self) -> dict[str, object]:
        """As clients see it, with the share that is done and the seconds left, if known."""
        fraction = eta = None
        if self.total:
            fraction = round(min(1.0, self.frames / self.total), 4)
            if self.fps > 0:
                eta = round(max(0, self.total - self.frames) / self.fps, 1)
        return {**asdict(self), "fraction": fraction, "eta_seconds": eta}


@dataclass
class Result:
    """The file that a job made."""

    bytes: int
    width: int
    height: int
    frames: int | None = None
    """Frames of a video."""


class Failure(TypedDict):
    """The command's one-line error."""

    kind: str
    message: str


@dataclass
class Job:
    """One upload to work on. All but `progress` is kept on the disk."""

    name: str
    """The client's name of the file, only to be shown."""
    suffix: str
    """Of the uploaded file as it lies on the disk."""
    result_suffix: str
    command: str
    """"upscale" or "stylize"."""
    options: dict[str, str]
    """The options of the request, by the name that the API has for them."""
    arguments: list[str]
    """The same as arguments of the command."""
    input_bytes: int
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    state: State = State.QUEUED
    created: float = field(default_factory=time.time)
    """Seconds since 1970, as all times here."""
    started: float | None = None
    finished: float | None = None
    result: Result | None = None
    notes: list[str] = field(default_factory=list)
    """What the command noted about the file."""
    error: Failure | None = None
    progress: Progress | None = None

    @property
    def is_picture(self) -> bool:
        """Whether an image is upscaled, not a video."""
        return is_picture(self.suffix)

    @property
    def input_file(self) -> str:
        """Name of the uploaded file in the job's folder."""
        return f"input{self.suffix}"

    @property
    def result_file(self) -> str:
        """Name of the result in the job's folder."""
        return f"result{self.result_suffix}"

    @property
    def result_name(self) -> str:
        """The name that the result is downloaded under."""
        return f"{self.name.rpartition('.')[0] or self.name}_upscaled{self.result_suffix}"

    def to_json(self) -> str:
        """What `job_from_json` reads."""
        kept = asdict(self)
        del kept["progress"]
        return json.dumps({"schema": SCHEMA, **kept}, ensure_ascii=False)

    def document(self, keep_seconds: float, position: int | None) -> dict[str, object]:
        """As clients see it. `position` is the number of jobs that come before it."""
        expires = None if self.finished is None else self.finished + keep_seconds
        where = f"/v1/jobs/{self.id}"
        result = None
        if self.result is not None:
            result = {
                "url": f"{where}/result",
                "name": self.result_name,
                "media_type": media_type(self.result_suffix),
                **asdict(self.result),
            }
        return {
            "id": self.id,
            "state": str(self.state),
            "name": self.name,
            "kind": "image" if self.is_picture else "video",
            "options": self.options,
            "created": _iso(self.created),
            "started": _iso(self.started),
            "finished": _iso(self.finished),
            "expires": _iso(expires),
            "position": position,
            "progress": self.progress.document() if self.progress else None,
            "input": {
                "url": f"{where}/input",
                "media_type": media_type(self.suffix),
                "bytes": self.input_bytes,
            },
            "result": result,
            "notes": self.notes,
            "error": self.error,
        }


def job_from_json(text: str) -> Job:
    """The job that `Job.to_json` wrote. Raises InputError if the text is something else."""
    try:
        stored = json.loads(text)
        if stored.pop("schema") != SCHEMA:
            raise InputError("was written by another version of framelift")
        job = msgspec.convert(stored, Job)
        job.document(0.0, None)
    except _NO_JOB as error:
        raise InputError("is not a description of a job") from error
    return job


_NO_JOB = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What reading something else as a job raises."""


def _iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
