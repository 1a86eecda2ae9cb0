"""Unpacks a folder of wheels into a folder of its own, which comes first on the path: no network.

python -m hardware.parts.packages WHEELS TARGET
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .. import results


def main(wheels: Path, target: Path) -> int:
    """Install all of them; the exit code is pip's."""
    found = sorted(wheels.glob("*.whl"))
    if not found:
        print(f"{wheels}: holds no .whl file")
        return 1
    command = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--no-index",
        "--no-deps",
        "--no-compile",
        "--no-cache-dir",
        "--upgrade",
        "--target",
        str(target),
    ]
    done = subprocess.run([*command, *map(str, found)], check=False)
    if done.returncode == 0:
        results.add("installed", wheels=[path.name for path in found])
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
