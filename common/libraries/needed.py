"""Packages that only some installations have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import MissingDependencyError
from ..signals import raise_swallowed


@contextmanager
def needed_for(what: str, requirement: str) -> Iterator[None]:
    """Around imports: raise MissingDependencyError for what is missing, with how to install it.

    A signal that came meanwhile and was swallowed by a package raises KeyboardInterrupt.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"{what} needs {error.name}: pip install '{requirement}'"
        ) from error
    raise_swallowed()
