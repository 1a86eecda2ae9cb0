"""Runs the parts one after the other and keeps the account of them on disk."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from framelift.common.notes import Say

from .plan import REST, ROOT, Account, Part, Settings
from .process import run
from .record import write_record
from .results import FILE, SECONDS, read

# At the end, for the account itself.
_RESERVE_SECONDS = 5.0
_LEAST_SECONDS = 2.0
_GRACE_SECONDS = 10.0


class Stopped(Exception):  # noqa: N818 - a signal, not an error
    """A signal asked to end."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number


class Day:
    """All parts within their time. Whatever becomes of one, the others are run and kept."""

    def __init__(self, settings: Settings, parts: list[Part], say: Say) -> None:
        self._settings = settings
        self._say = say
        self._started = time.monotonic()
        self.accounts = [Account(part) for part in parts]

    def run(self) -> int:
        """Run them; the exit code is that of a command: 0 if each part did what it should."""
        try:
            with _signals_raise():
                for account in self.accounts:
                    self._run(account)
        except Stopped as stopped:
            self._say(str(stopped))
            return stopped.exit_code
        finally:
            self._write()
        bad = [account.part.name for account in self.accounts if account.state != "done"]
        if bad:
            self._say(f"not done: {', '.join(bad)}; the others' results are kept")
        return 1 if bad else 0

    def _run(self, account: Account) -> None:
        part, out = account.part, self._settings.out
        account.limit_s = round(self._limit(account), 1)
        if account.limit_s < _LEAST_SECONDS:
            account.state = "no time left"
            return
        account.state = "running"
        self._write()
        self._say(f"{part.title}: at most {account.limit_s:.0f} s")
        results = out / f"{part.name}.jsonl"
        try:
            ended = run(
                part.command,
                out / f"{part.name}.log",
                self._environment(results, account.limit_s),
                folder=ROOT,
                limit_s=account.limit_s,
                grace_s=self._grace(),
            )
        except OSError as error:
            account.state, account.last_line = "failed", str(error)
        except BaseException:
            account.state = "stopped"
            raise
        else:
            account.state, account.seconds = ended.status, ended.seconds
            account.exit_code, account.last_line = ended.exit_code, ended.last_line
        finally:
            account.rows = read(results)
            self._write()
        self._say(f"{part.title}: {account.state} after {account.seconds:.0f} s")

    def _limit(self, account: Account) -> float:
        """Its share of what its group has left, and of what all have."""
        group = [other for other in self.accounts if other.part.group == account.part.group]
        left = account.part.limit_s - sum(other.seconds for other in group)
        if account.part.limit_s != REST:
            left /= sum(other.state == "waiting" for other in group)
        total = self._settings.seconds - (time.monotonic() - self._started)
        return min(left, total - _RESERVE_SECONDS - self._grace())

    def _grace(self) -> float:
        return min(_GRACE_SECONDS, self._settings.seconds / 20)

    def _environment(self, results: Path, limit_s: float) -> dict[str, str]:
        results.unlink(missing_ok=True)
        paths = [self._settings.out / "packages", ROOT / ".types"]
        earlier = os.environ.get("PYTHONPATH", "")
        found = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([*map(str, paths), *([earlier] if earlier else [])]),
            "PYTHONUNBUFFERED": "1",
            FILE: str(results),
            SECONDS: f"{limit_s:.1f}",
        }
        if not self._settings.dry_run:
            found["FRAMELIFT_REQUIRE_GPU"] = "1"
        return found

    def _write(self) -> None:
        seconds = round(time.monotonic() - self._started, 1)
        try:
            write_record(self._settings, self.accounts, seconds)
        except OSError as error:  # a full disk is no reason to stop: the parts have files of theirs
            self._say(f"the account cannot be written: {error}")


@contextmanager
def _signals_raise() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(number)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
