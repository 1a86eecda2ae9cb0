"""Waiting for what another thread or process does, however busy the machine is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 180.0
"""Far more than anything takes: a test that waits this long has found something that hangs."""
_POLL_S = 0.01


def wait_until(condition: Callable[[], T], what: str, seconds: float = PATIENCE_S) -> T:
    """The first true value of `condition`; fails with `what` if none comes in time."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"{what}: not within {seconds:g} s"
        time.sleep(_POLL_S)
    return found


def wait_until_listening(port: int, *, udp: bool = False) -> None:
    """Until a process listens on a port of this machine, without connecting to it."""
    if sys.platform != "linux":
        time.sleep(2)  # nothing tells it without a connection, which some servers take one of
        return
    wait_until(lambda: _listens(port, udp=udp), f"a process that listens on port {port}")


def _listens(port: int, *, udp: bool) -> bool:
    kind, state = ("udp", "07") if udp else ("tcp", "0A")
    for table in (kind, f"{kind}6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, status, *_ = line.split()
            if status == state and int(local.rpartition(":")[2], 16) == port:
                return True
    return False


def catches(process: int, signal: int) -> bool:
    """Whether a process (of Linux) has a handler for a signal; False also if it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False
    caught = status.partition("SigCgt:")[2].split()
    return bool(caught) and bool(int(caught[0], 16) >> (signal - 1) & 1)
