"""Which files of a tree are found, and where each one goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from framelift.archive.plan.listing import (
    Tree,
    check_places,
    list_files,
    parse_tree,
    with_targets,
)
from framelift.common.errors import InputError, OutputError
from framelift.runtime.video.writing.encoders import EncoderOptions

H264 = EncoderOptions()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "in"
    for name in (
        "b.mp4",
        "a/x.MOV",
        "a/deep/er/y.png",
        "a/notes.txt",
        "a/.hidden.mp4",
        ".git/z.mp4",
        "a/raw.psd",
        "out/made.mp4",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * len(name))
    return root


def listed(text: Path | str, out: Path, list_file: Path | None = None) -> dict[str, int | None]:
    return list_files(parse_tree(str(text)), out, list_file, lambda line: None)


def test_a_tree_is_walked_in_order_without_hidden_files_and_without_out(tree: Path) -> None:
    notes: list[str] = []
    (tree / "link").symlink_to(tree / "a", target_is_directory=True)
    found = list_files(parse_tree(str(tree)), tree / "out", None, notes.append)
    assert found == {"a/deep/er/y.png": 15, "a/x.MOV": 7, "b.mp4": 5}
    assert list(found) == sorted(found)
    assert notes == [
        f"{tree / 'link'} left out: links to folders are not followed",
        f"{tree / 'a/raw.psd'} left out: images of this format are not read; convert to PNG first",
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_named_pipes_are_left_out(tree: Path, tmp_path: Path) -> None:
    os.mkfifo(tree / "pipe.mp4")
    notes: list[str] = []
    assert "pipe.mp4" not in list_files(parse_tree(str(tree)), tmp_path, None, notes.append)
    assert f"{tree}/pipe.mp4 left out: not a file, but a pipe, a socket or a device" in notes
    (tmp_path / "list.txt").write_text("pipe.mp4\n")
    with pytest.raises(InputError, match=r"line 1: pipe\.mp4 is not a file, but a pipe"):
        listed(tree, tmp_path, tmp_path / "list.txt")


def test_a_link_to_nothing_is_tried(tree: Path, tmp_path: Path) -> None:
    (tree / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    assert listed(tree, tmp_path)["gone.mp4"] is None


def test_outputs_below_in_are_no_inputs(tree: Path, tmp_path: Path) -> None:
    lines = tmp_path / "list.txt"
    lines.write_text("**/*.mp4\n")
    for found in (listed(tree / "**/*.mp4", tree / "out"), listed(tree, tree / "out", lines)):
        assert list(found) == ["b.mp4"]


def test_in_may_be_a_pattern_or_a_single_file(tree: Path, tmp_path: Path) -> None:
    assert list(listed(tree / "**/*.[mM][pPoO][4vV]", tmp_path)) == [
        "a/x.MOV",
        "b.mp4",
        "out/made.mp4",
    ]
    assert list(listed(tree / "b.mp4", tmp_path)) == ["b.mp4"]
    bracketed = tree / "take[1].mp4"
    bracketed.touch()
    assert list(listed(bracketed, tmp_path)) == ["take[1].mp4"]
    with pytest.raises(InputError, match="no such file or folder"):
        parse_tree(str(tree / "none.mp4"))
    with pytest.raises(InputError, match=r"the folder .*none does not exist"):
        parse_tree(str(tree / "none" / "*.mp4"))
    with pytest.raises(InputError, match="there is no image or video in it"):
        listed(tree / "*.mkv", tmp_path)


def test_a_list_names_paths_and_patterns_below_in(tree: Path, tmp_path: Path) -> None:
    lines = tmp_path / "list.txt"
    lines.write_text(f"# chosen\n\nb.mp4\n{tree}/a/x.MOV\na/**/*.png\nb.mp4\nmissing.mp4\n")
    assert listed(tree, tmp_path, lines) == {
        "a/deep/er/y.png": 15,
        "a/x.MOV": 7,
        "b.mp4": 5,
        "missing.mp4": None,
    }
    for line, message in (
        ("../b.mp4", f"line 1: ../b.mp4 does not lie in {tree}"),
        ("/etc/passwd", "does not lie in"),
        ("a", r"is a folder; name its files, as a/\*\*/\*"),
        ("a/", r"a/ is a folder; name its files, as a/\*\*/\*"),
    ):
        lines.write_text(line)
        with pytest.raises(InputError, match=message):
            listed(tree, tmp_path, lines)
    with pytest.raises(InputError, match=r"gone\.txt: cannot be read \(No such file"):
        listed(tree, tmp_path, tmp_path / "gone.txt")


def test_a_list_of_another_system(tree: Path, tmp_path: Path) -> None:
    (tree / "two\N{LINE SEPARATOR}parts.mp4").touch()
    lines = tmp_path / "list.txt"
    lines.write_bytes("b.mp4\r\ntwo\N{LINE SEPARATOR}parts.mp4\r\n".encode("utf-8-sig"))
    assert list(listed(tree, tmp_path, lines)) == ["b.mp4", "two\N{LINE SEPARATOR}parts.mp4"]
    lines.write_bytes(b"b.mp4\n\0\1\2")
    with pytest.raises(InputError, match=r"line 2: is not a path; write one path per line"):
        listed(tree, tmp_path, lines)


def targets(*sources: str, recorded: dict[str, str] | None = None) -> dict[str, str]:
    items = with_targets(dict.fromkeys(sources, 1), H264, recorded or {})
    return {item.source: item.target for item in items}


def test_the_tree_is_kept_and_no_two_files_get_one_target() -> None:
    assert targets("a/x.mp4", "b/x.mp4", "c.avi", "d.png") == {
        "a/x.mp4": "a/x.mp4",
        "b/x.mp4": "b/x.mp4",
        "c.avi": "c.mp4",
        "d.png": "d.png",
    }
    assert targets("c.avi", "c.webm", "c.mp4") == {
        "c.avi": "c.avi.mp4",
        "c.webm": "c.webm.mp4",
        "c.mp4": "c.mp4",
    }


def test_a_file_that_is_added_never_takes_the_target_of_one_that_was_made() -> None:
    """c.mp4 would be taken for done, as an output of that name is there."""
    assert targets("c.avi", "c.mp4", recorded={"c.avi": "c.mp4"}) == {
        "c.avi": "c.mp4",
        "c.mp4": "c.mp4.mp4",
    }


def test_out_is_a_folder_and_not_in(tree: Path) -> None:
    with pytest.raises(OutputError, match="is a file; name a folder"):
        check_places(Tree(tree), tree / "b.mp4")
    with pytest.raises(OutputError, match="is the input itself"):
        check_places(Tree(tree), tree)
