"""What the child process answers, as JSON lines."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ...common import errors
from ...common.errors import FrameliftError

ALIVE_SECONDS = 5.0
"""The child says at least this often that it is there."""


@dataclass(frozen=True)
class Answer:
    """What became of a job: an error, or facts."""

    kind: str = ""
    """The class of the error; empty when all went well."""
    message: str = ""
    """One line."""
    is_fatal: bool = False
    """Whether all other files would fail the same way."""
    facts: dict[str, Any] = field(default_factory=dict)

    def error(self) -> FrameliftError:
        """The error as it was raised in the child."""
        found = getattr(errors, self.kind, None)
        if isinstance(found, type) and issubclass(found, FrameliftError):
            return found(self.message)
        return FrameliftError(self.message)

    def as_json(self) -> dict[str, Any]:
        """For `Answer(**document)` in the other process."""
        return {"answer": asdict(self)}
