"""The ledger survives what kills its writers, and several of them share it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from framelift.archive.plan.settings import digest
from framelift.archive.records.claims import Claim
from framelift.archive.records.ledger import Description, Ledger, LedgerWriter
from framelift.archive.records.row import Row
from framelift.archive.status import read_status
from framelift.common.errors import OutputError

from ..support.waiting import wait_until


def row(source: str, state: str = "done", settings: str = "s", **fields: object) -> Row:
    document = {"source": source, "target": source, "state": state, "settings": settings}
    return Row.from_json({**document, **fields})


def test_rows_of_several_writers_are_merged_and_read_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "s")
    first, second = LedgerWriter(ledger, "shard-0-of-2"), LedgerWriter(ledger, "shard-1-of-2")
    first.add(row("a.mp4", source_bytes=7))
    second.add(row("b.mp4", "failed", error="b.mp4: is damaged"))
    assert len(list(ledger.rows_folder.iterdir())) == 2
    records = ledger.refresh()
    assert records.done == {"a.mp4": 7}
    assert records.failed["b.mp4"].error == "b.mp4: is damaged"
    second.add(row("b.mp4", "failed"))
    assert ledger.refresh().tries == {"b.mp4": 2}
    first.add(row("b.mp4", source_bytes=1))
    records = ledger.refresh()
    assert (records.failed, records.tries, set(records.done)) == ({}, {}, {"a.mp4", "b.mp4"})
    assert set(Ledger(tmp_path, "s").refresh().done) == {"a.mp4", "b.mp4"}
    assert Ledger(tmp_path, "other settings").refresh().done == {}


def test_a_row_that_was_cut_off_counts_as_not_written(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "s")
    writer = LedgerWriter(ledger, "all")
    writer.add(row("a.mp4"))
    whole = json.dumps(row("b.mp4").as_json()).encode() + b"\n"
    with writer.path.open("ab") as stream:
        stream.write(whole[:30])
        stream.flush()
        assert set(ledger.refresh().done) == {"a.mp4"}
        stream.write(whole[30:])
    assert set(ledger.refresh().done) == {"a.mp4", "b.mp4"}
    with writer.path.open("ab") as stream:
        stream.write(b"\x00\x00garbage\n[1]\n")
    assert ledger.refresh().unreadable == 2


def test_names_that_are_no_utf_8_and_fields_of_later_versions(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "s")
    name = os.fsdecode(b"caf\xe9.mp4")
    LedgerWriter(ledger, "all").add(row(name))
    assert set(ledger.refresh().done) == {name}
    assert Row.from_json({**row("a").as_json(), "invented_later": 1}) == row("a")


def test_a_file_that_was_replaced_by_a_damaged_one_is_a_failed_one(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, digest({}))
    Description("/in", 2, {}).write(tmp_path)
    writer = LedgerWriter(ledger, "all")
    for name, state, size in (("a.mp4", "done", 7), ("b.mp4", "done", 7), ("a.mp4", "failed", 5)):
        writer.add(row(name, state, ledger.settings, source_bytes=size))
    status = read_status(tmp_path)
    assert (status.done, set(status.records.failed), status.left) == (1, {"a.mp4"}, 0)
    assert status.records.done["a.mp4"] == 7  # whose output may be replaced
    writer.add(row("a.mp4", "done", ledger.settings, source_bytes=9))
    writer.add(row("b.mp4", "failed", ledger.settings, source_bytes=7))  # another shard's, earlier
    status = read_status(tmp_path)
    assert (status.done, status.records.failed) == (2, {})


@pytest.mark.parametrize(
    "damage",
    [
        b"null",
        b"[" * 100_000,
        b'{"source": "a.mp4"}',
        {"source": ["a.mp4"]},
        {"source": ""},
        {"target": None},
        {"target": "../../etc/passwd"},
        {"target": "/etc/passwd"},
        {"ended": "yesterday"},
        {"seconds": "1"},
        {"ended": "0001-01-01T00:00:00"},
        {"seconds": float("nan")},
        b'{"source": "c", "target": "c", "state": "done", "settings": "s", "seconds": 1e999}',
        {"seconds": 10**400},
        {"frames": 10**400},
        {"frames": 2**63},
        {"frames": True},
        {"source_bytes": [1]},
        {"piece": {}},
        {"notes": "none"},
    ],
)
def test_a_damaged_row_does_not_count(damage: bytes | dict[str, object], tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "s")
    writer = LedgerWriter(ledger, "all")
    writer.add(row("a.mp4"))
    if isinstance(damage, dict):
        damage = json.dumps({**row("c.mp4").as_json(), **damage}).encode()
    with writer.path.open("ab") as stream:
        stream.write(damage + b"\n")
    writer.add(row("b.mp4"))
    records = ledger.refresh()
    assert (set(records.done), records.unreadable) == ({"a.mp4", "b.mp4"}, 1)
    Description("/in", 3, {}).write(tmp_path)
    assert read_status(tmp_path).records.unreadable == 1


def test_what_an_archive_is_made_of_is_kept(tmp_path: Path) -> None:
    assert Description.read(tmp_path) is None
    described = Description("/in", 3, {"scale": "2"})
    described.write(tmp_path)
    assert Description.read(tmp_path) == described
    path = tmp_path / ".framelift-archive" / "archive.json"
    for damaged in (
        "{",
        "[" * 100_000,
        '{"format": 1}',
        '{"format": 1, "source": 1, "files": "x"}',
    ):
        path.write_text(damaged)
        with pytest.raises(OutputError, match=r"archive\.json: is damaged"):
            Description.read(tmp_path)
    path.write_text('{"format": 99}')
    with pytest.raises(OutputError, match="by another version of framelift"):
        Description.read(tmp_path)


HOLDER = """
import sys, time
from pathlib import Path
from framelift.archive.records.claims import Claim
claim = Claim(Path(sys.argv[1]), "a.mp4", 2.0)
assert claim.acquire()
print("claimed", flush=True)
time.sleep(60)
"""


def test_claims_of_dead_and_of_silent_processes_are_taken_over(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "claimed\n"
    try:
        claim = Claim(tmp_path, "a.mp4", 2.0)
        assert not claim.acquire()
        assert claim.holder
        with Claim(tmp_path, "b.mp4", 2.0) as other:
            assert other.acquire()
            assert not other.was_abandoned
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    with claim:
        assert claim.acquire()  # at once: this host knows that its process is gone
        assert claim.was_abandoned
    with Claim(tmp_path, "a.mp4", 2.0) as again:
        assert again.acquire()
        assert not again.was_abandoned


def test_a_claim_whose_machine_stopped_before_it_was_written_expires(tmp_path: Path) -> None:
    with Claim(tmp_path, "a.mp4", 0.2) as claim:
        assert claim.acquire()
        (path,) = (tmp_path / ".framelift-archive" / "claims").iterdir()
    path.touch()
    with Claim(tmp_path, "a.mp4", 0.2) as late:
        assert not late.acquire()
        time.sleep(0.3)
        assert late.acquire()
        assert late.was_abandoned


def test_the_claim_of_a_host_that_is_not_heard_of_expires(tmp_path: Path) -> None:
    """As that of another machine, whose processes cannot be looked up, would."""
    claim = Claim(tmp_path, "a.mp4", 0.6)
    with claim:
        assert claim.acquire()
        (path,) = (tmp_path / ".framelift-archive" / "claims").iterdir()
        content = path.read_text()
    path.write_text(re.sub(r"host=.*", "host=elsewhere", content))
    late = Claim(tmp_path, "a.mp4", 0.6)
    looked = time.monotonic()
    assert not late.acquire()
    assert late.holder == "elsewhere"
    wait_until(late.acquire, "the end of the claim")
    assert time.monotonic() - looked >= 0.6
    assert late.was_abandoned
    late.__exit__(None, None, None)
