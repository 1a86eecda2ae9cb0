"""The settings of a server: limits, models, token and folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

OptionCheck = Callable[[str, Sequence[str]], str | None]
"""Takes a command's name and its arguments; returns what is wrong with them, or None."""

RESULT_PIXELS = 16
"""A result may have this many times the pixels that an upload may have: those of scale 4."""
RESULT_BYTES = 16
"""A result may have this many times the bytes that an upload may have."""


@dataclass(frozen=True)
class Limits:
    """The most that one upload and its job may take."""

    bytes: int = 2 << 30
    """Bytes of an uploaded file."""
    pixels: int = 16_000_000
    """Pixels of a picture, or of one frame."""
    frames: int = 20_000
    """Frames of a video."""
    seconds: float = 600.0
    """Duration of a video."""
    memory_bytes: int = 4 << 30
    """Memory of a job's process; 0: no limit."""
    job_seconds: float = 6 * 3600.0
    """Time that a job may run."""
    queue: int = 100
    """Jobs that may wait, and uploads that may be unfinished."""


@dataclass(frozen=True)
class Model:
    """A model that clients may name."""

    name: str
    command: str
    """The command that runs it: "upscale" or "stylize"."""
    argument: str
    """What `--model` of that command takes: the name again, or a path."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """What else GET /v1/models returns of it."""


@dataclass(frozen=True)
class Settings:
    """All that the server needs to know."""

    folder: Path
    """Where uploads, jobs and results lie."""
    command: Sequence[str]
    """Starts a job's process; its limits as JSON and the command's arguments are added."""
    check_options: OptionCheck
    models: Mapping[str, Model]
    arguments: Sequence[str] = ()
    """Arguments that every job gets, such as --backend."""
    workers: int = 1
    """Videos that are worked on at once, and pictures beside them."""
    keep_seconds: float = 24 * 3600.0
    """How long finished jobs and unfinished uploads are kept."""
    token: str | None = None
    """What clients must show; None: nothing."""
    limits: Limits = field(default_factory=Limits)
    page_models: dict[str, Path] = field(default_factory=dict)
    """Name to path of the models that the web page is given, to run in the browser."""
