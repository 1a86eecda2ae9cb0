"""Where the command begins: Ctrl-C is one line even while the rest is loaded."""

from __future__ import annotations

import os
import signal


def main() -> None:
    """Run the command line, see `main.main`."""
    signal.signal(signal.SIGINT, _end)
    from .main import main as run

    run()


def _end(number: int, frame: object) -> None:
    del number, frame
    os.write(2, b"framelift: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
