"""Where Framelift keeps what it can make again: engines, imported models, coded frames."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import ConfigError, OutputError

FOLDER_VARIABLE = "FRAMELIFT_CACHE"


def cache_folder() -> Path:
    """The folder that $FRAMELIFT_CACHE names, else the user's cache folder.

    Raises ConfigError if the user's home is not known.
    """
    import platformdirs

    chosen = os.environ.get(FOLDER_VARIABLE)
    try:
        return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("framelift")
    except RuntimeError as error:
        raise ConfigError(
            f"{FOLDER_VARIABLE}={chosen or ''}: {error} Set {FOLDER_VARIABLE} to a folder"
        ) from error


def made_cache_folder(name: str, what: str, otherwise: str = "") -> Path:
    """A folder in the cache folder, which is made if need be.

    Raises OutputError: it cannot be made `what`, and what can be done `otherwise`.
    """
    folder = cache_folder() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be created {what} ({error.strerror}); name another folder in "
            f"{FOLDER_VARIABLE}{otherwise}"
        ) from error
    return folder
