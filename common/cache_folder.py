"""Where Framelift keeps what it can make again: engines, imported models, coded frames."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER_VARIABLE = "FRAMELIFT_CACHE"


def cache_folder() -> Path:
    """The folder that $FRAMELIFT_CACHE names, else the user's cache folder."""
    import platformdirs

    chosen = os.environ.get(FOLDER_VARIABLE)
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("framelift")
