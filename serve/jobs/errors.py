"""`RequestError`: why a request is refused, and with which HTTP status."""

from __future__ import annotations

from collections.abc import Mapping


class RequestError(Exception):
    """A request that cannot be answered as asked.

    It becomes the HTTP status `status` with the document that `--json` prints for a failed command.
    """

    def __init__(
        self,
        status: int,
        message: str,
        kind: str = "RequestError",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.headers = headers


def not_found(what: str) -> RequestError:
    """The error of an id that names nothing, or nothing any more."""
    return RequestError(404, f"no such {what}; it may have been deleted or has expired")
