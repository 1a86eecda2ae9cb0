"""What goes to the child process and comes from it, as JSON lines.

Paths are text. It may hold lone surrogates, for names that are not UTF-8, which `json` writes and
reads and msgspec's own encoder refuses: msgspec checks the types only.
"""

from __future__ import annotations

import json

import msgspec
from msgspec import Struct

from ...common import errors
from ...common.errors import FrameliftError
from ...runtime.video.pieces import Piece
from ..plan.films import MadeWith

ALIVE_SECONDS = 5.0
"""The child says at least this often that it is there."""


class Load(Struct, tag_field="do", tag="load"):
    """Load the model for a file."""

    source: str


class Make(Struct, tag_field="do", tag="make"):
    """Upscale a file."""

    source: str
    target: str
    replace: bool


class Plan(Struct, tag_field="do", tag="plan"):
    """Cut a video into pieces of about that length."""

    source: str
    seconds: float


class MakePiece(Struct, tag_field="do", tag="piece"):
    """Upscale a piece into its work folder, `place`."""

    source: str
    piece: Piece
    place: str
    made_with: MadeWith


class Join(Struct, tag_field="do", tag="join"):
    """Join the pieces that lie in `places`."""

    source: str
    target: str
    pieces: list[Piece]
    places: list[str]
    made_with: MadeWith
    replace: bool


Job = Load | Make | Plan | MakePiece | Join


class Made(Struct):
    """What a row holds of a file or piece that was made."""

    model: str
    model_sha256: str
    backend: str
    frames: int
    width: int | None = None
    height: int | None = None


class Planned(Struct):
    """How a video is cut; no pieces leave it whole."""

    pieces: list[Piece]
    made_with: MadeWith


class Loaded(Struct):
    """What runs, and where."""

    model: str
    scale: int
    backend: str
    device: str


class Answer(Struct):
    """What became of a job: an error, or what its kind of job returns."""

    kind: str = ""
    """The class of the error; empty when all went well."""
    message: str = ""
    """One line."""
    is_fatal: bool = False
    """Whether all other files would fail the same way."""
    made: Made | None = None
    planned: Planned | None = None
    loaded: Loaded | None = None

    def error(self) -> FrameliftError:
        """The error as it was raised in the child."""
        found = getattr(errors, self.kind, None)
        if isinstance(found, type) and issubclass(found, FrameliftError):
            return found(self.message)
        return FrameliftError(self.message)


class Message(Struct):
    """What the child says: a line for the user, an answer, or only that it is there."""

    note: str = ""
    answer: Answer | None = None


def to_line(message: Job | Message) -> str:
    """A line of JSON."""
    return json.dumps(msgspec.to_builtins(message)) + "\n"


def job_from(line: str) -> Job:
    """The job in a line."""
    return msgspec.convert(json.loads(line), Job)  # type: ignore[no-any-return]


def message_from(line: str) -> Message:
    """The message in a line."""
    return msgspec.convert(json.loads(line), Message)
