"""Runs the tests of the page in Chromium: `python tests/web/run.py [PYTEST OPTION]...`.

The page is built first, with `make web`. Where Chromium or Node.js is missing the tests are left
out and one line says why; FRAMELIFT_REQUIRE_WEB=1 makes that a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
OLDEST_NODE = 20
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def missing() -> str | None:
    """What is needed and not here."""
    for program in ("npm", "node"):
        if not shutil.which(program):
            return f"{program} is not installed"
    if node_major() < OLDEST_NODE:
        return f"Node.js {node_major()} is too old: {OLDEST_NODE} or newer is needed"
    if not chromium():
        return "Chromium is not installed (Debian: `apt-get install chromium`)"
    return None


def node_major() -> int:
    """The installed Node.js' first number."""
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    return int(said.stdout.strip().removeprefix("v").partition(".")[0] or 0)


def chromium() -> str | None:
    """Path of an installed Chromium."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


def main(options: list[str]) -> int:
    """Build the page and run the tests in this folder; 0 where they cannot be run."""
    if reason := missing():
        sys.stderr.write(f"Tests of the page left out: {reason}\n")
        return int(os.environ.get("FRAMELIFT_REQUIRE_WEB") == "1")
    built = subprocess.run(["make", "web"], cwd=ROOT, check=False)
    if built.returncode:
        return built.returncode
    environment = {**os.environ, "FRAMELIFT_CHROMIUM": str(chromium())}
    command = [sys.executable, "-m", "pytest", str(Path(__file__).parent), *options]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
