"""Where Framelift keeps what it can make again: engines, imported models, coded frames."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import ConfigError

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
