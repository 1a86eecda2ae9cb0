from __future__ import annotations

from pathlib import Path

import pytest

from framelift.common.errors import OutputError
from framelift.common.sealed import (
    ENGINE,
    TIMING_CACHE,
    DamagedFileError,
    read_sealed,
    write_sealed,
)

PAYLOAD = bytes(range(256)) * 8


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    path = tmp_path / "a.engine"
    write_sealed(path, ENGINE, PAYLOAD)
    return path


def test_round_trip_leaves_nothing_else(sealed: Path) -> None:
    assert read_sealed(sealed, ENGINE) == PAYLOAD
    assert [path.name for path in sealed.parent.iterdir()] == ["a.engine"]


def test_empty_payload(tmp_path: Path) -> None:
    write_sealed(tmp_path / "a", ENGINE, b"")
    assert read_sealed(tmp_path / "a", ENGINE) == b""


def test_no_single_changed_byte_passes(sealed: Path) -> None:
    data = sealed.read_bytes()
    for index in range(0, len(data), 7):
        sealed.write_bytes(data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :])
        with pytest.raises(DamagedFileError):
            read_sealed(sealed, ENGINE)


@pytest.mark.parametrize("size", [0, 7, 30, 52, 53, 60, 2047])
def test_cut_short(sealed: Path, size: int) -> None:
    sealed.write_bytes(sealed.read_bytes()[:size])
    with pytest.raises(DamagedFileError, match=r"start is damaged|bytes instead of"):
        read_sealed(sealed, ENGINE)


def test_bytes_added(sealed: Path) -> None:
    sealed.write_bytes(sealed.read_bytes() + b"x")
    with pytest.raises(DamagedFileError, match="has 2049 bytes instead of 2048"):
        read_sealed(sealed, ENGINE)


def test_of_another_kind(sealed: Path) -> None:
    with pytest.raises(DamagedFileError, match="was not written by framelift"):
        read_sealed(sealed, TIMING_CACHE)


def test_of_a_newer_format(sealed: Path) -> None:
    data = sealed.read_bytes()
    sealed.write_bytes(data[:8] + b"\x02" + data[9:])
    with pytest.raises(DamagedFileError, match="has format 2, this framelift reads 1"):
        read_sealed(sealed, ENGINE)


def test_replaces_what_is_there_or_leaves_it(sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sealed(sealed, ENGINE, b"new")
    assert read_sealed(sealed, ENGINE) == b"new"

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OutputError, match="the disk is full"):
        write_sealed(sealed, ENGINE, b"newer")
    assert read_sealed(sealed, ENGINE) == b"new"
    assert len(list(sealed.parent.iterdir())) == 1
