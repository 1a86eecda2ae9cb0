"""A target is complete or as it was before."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from framelift.common.errors import OutputError
from framelift.common.files import atomic_output


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail_halfway(path: Path, error: BaseException) -> None:
    path.write_text("half")
    raise error


def test_the_target_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with atomic_output(target) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".mp4"
        temporary.write_text("done")
        assert not target.exists()
    assert names(tmp_path) == ["out.mp4"]
    assert target.read_text() == "done"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_changes_when_the_block_fails(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "out.png"
    target.write_text("old")
    with pytest.raises(error), atomic_output(target, overwrite=True) as temporary:
        fail_halfway(temporary, error())
    assert names(tmp_path) == ["out.png"]
    assert target.read_text() == "old"


def test_an_existing_target_is_replaced_only_when_asked(tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    target.write_text("old")
    with (
        pytest.raises(OutputError, match=r"out.png: already exists; pass --overwrite"),
        atomic_output(target),
    ):
        pass
    with atomic_output(target, overwrite=True) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"


def test_a_target_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    with pytest.raises(OutputError, match="appeared while"), atomic_output(target) as temporary:
        temporary.with_name("out.png").write_text("theirs")
    assert target.read_text() == "theirs"
    assert names(tmp_path) == ["out.png"]


def test_targets_that_cannot_be_are_refused_first(tmp_path: Path) -> None:
    source = tmp_path / "in.png"
    source.write_text("input")
    cases = [
        (tmp_path, "is a folder"),
        (tmp_path / "nowhere" / "out.png", r"nowhere does not exist"),
        (source, "is the input itself"),
        (source / "out.png", "in.png is a file; name a folder"),
    ]
    for target, message in cases:
        with (
            pytest.raises(OutputError, match=message),
            atomic_output(target, overwrite=True, source=source),
        ):
            raise AssertionError("the block must not run")
    link = tmp_path / "link.png"
    link.symlink_to(source)
    with (
        pytest.raises(OutputError, match="is the input itself"),
        atomic_output(link, overwrite=True, source=source),
    ):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with pytest.raises(OutputError, match="is not writable"), atomic_output(folder / "out.png"):
        pass


def test_a_full_disk_is_said_in_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"out.png: the disk is full; nothing was left behind"),
        atomic_output(tmp_path / "out.png") as temporary,
    ):
        fail_halfway(temporary, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "name",
    [
        251 * "a" + ".png",
        "a" + 83 * "é" + 28 * "日" + ".mp4",
        40 * "a" + "." + 200 * "b",
        255 * "a",
    ],
)
def test_names_as_long_as_the_system_takes(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    with atomic_output(target) as temporary:
        temporary.write_text("done")
        assert temporary.name.endswith(target.suffix)
    temporary.write_text("half")  # as a run that was killed leaves it
    with atomic_output(target, overwrite=True) as temporary:
        temporary.write_text("again")
    assert names(tmp_path) == [name]
    assert target.read_text() == "again"


def test_a_file_that_cannot_be_created_is_one_line(tmp_path: Path) -> None:
    long = tmp_path / (256 * "a")
    with pytest.raises(OutputError) as caught, atomic_output(long):
        raise AssertionError("the block must not run")
    assert str(caught.value) == f"{long}: cannot be written (File name too long)"
    # The target's name is legal, but that of a temporary file with its suffix is not.
    suffix = tmp_path / ("a." + 250 * "b")
    with pytest.raises(OutputError) as caught, atomic_output(suffix):
        raise AssertionError("the block must not run")
    assert str(caught.value) == f"{suffix}: cannot be written (File name too long)"
