"""`framelift upscale` with folders, and with inputs and outputs that it refuses."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from ..support.images import image
from ..support.upscaling import fail, names, run, write_clip


def test_a_folder_goes_on_after_a_broken_file(
    tmp_path: Path, clip: Path, nearest_model_path: Path
) -> None:
    folder, out = tmp_path / "in", tmp_path / "new" / "out"
    folder.mkdir()
    clip.rename(folder / "b.mp4")
    write_webm(folder / "b.webm")
    image(folder / "a.png")
    (folder / "broken.jpg").write_text("no image")
    (folder / "notes.txt").write_text("left alone")
    result = run(folder, out, "--model", nearest_model_path, "--quiet")
    assert str(result.exception) == "1 of 4 files failed: broken.jpg"
    assert result.stderr.startswith(f"failed: {folder / 'broken.jpg'}: cannot be read as an image")
    assert names(out) == ["a.png", "b.mp4", "b.webm.mp4"]
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    (folder / "broken.jpg").unlink()
    again = run(folder, out, "--model", nearest_model_path)
    assert again.exit_code == 0
    assert "3 already there (--overwrite makes them again)" in again.stderr
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == before


def write_webm(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx-vp9", rate=30, options={"deadline": "realtime"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((24, 32, 3), 90, np.uint8), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_a_folder_of_failures_leaves_no_folder(tmp_path: Path, nearest_model_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "broken.mp4").write_text("no video")
    assert "1 of 1 files failed" in fail(folder, tmp_path / "out", "--model", nearest_model_path)
    assert names(tmp_path) == ["in"]


def test_existing_outputs_are_kept_unless_told(
    tmp_path: Path, clip: Path, nearest_model_path: Path
) -> None:
    target = tmp_path / "out.mp4"
    target.write_text("precious")
    message = fail(clip, target, "--model", nearest_model_path)
    assert message == f"{target}: already exists; pass --overwrite to replace it"
    assert target.read_text() == "precious"
    assert run(clip, target, "--model", nearest_model_path, "-y", "-q").exit_code == 0
    assert target.stat().st_size > 1000


def test_bad_inputs_and_outputs(tmp_path: Path, clip: Path, nearest_model_path: Path) -> None:
    text, empty, folder = tmp_path / "text.mp4", tmp_path / "empty.png", tmp_path / "folder"
    text.write_text("This is no video.\n" * 50)
    empty.touch()
    folder.mkdir()
    nameless = image(tmp_path / "x.png").rename(tmp_path / "nameless")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(clip.read_bytes()[:1500])
    before = names(tmp_path)
    cases: list[tuple[str | Path, Path, str]] = [
        (text, tmp_path / "o.mp4", "cannot be read as a video"),
        (cut, tmp_path / "o.mp4", "cannot be read as a video, or is damaged"),
        (empty, tmp_path / "o.png", "the file is empty"),
        (tmp_path / "none.mp4", tmp_path / "o.mp4", "no such file or folder"),
        ("99", tmp_path / "o.mp4", "camera 99: cannot be opened"),
        ("rtsp://127.0.0.1:9/x", tmp_path / "o.mp4", "/x: cannot be opened (Connection refused)"),
        ("ftp://host/x.mp4", tmp_path / "o.mp4", "ftp://host/x.mp4: cannot be read from; use one"),
        (folder, Path("-"), "is a folder; name a folder for its results, too"),
        ("-", tmp_path / "o.png", "stdin becomes a video, and this is the name of an image"),
        (tmp_path / "none.mp4", Path("null"), "no such file or folder"),
        (clip, tmp_path / "o.xyz", "cannot be written to .xyz; use .mp4, .m4v, .mov, .mkv"),
        (clip, tmp_path / "o.png", "is the name of one image; name an image for each frame"),
        (nameless, tmp_path / "o.png", "nameless: its name is not that of an image; rename it to"),
        (empty, tmp_path / "o.mp4", "an image cannot be written to .mp4; use .png"),
        (clip, tmp_path / "none" / "o.mp4", "none does not exist; create it first"),
        (clip, clip, "is the input itself"),
        (folder, clip, "is a file, but"),
        (folder, tmp_path / "o", "no image or video is in this folder"),
        (tmp_path, tmp_path, "is the input itself; name another folder"),
    ]
    for source, target, message in cases:
        assert message in fail(source, target, "--model", nearest_model_path, "-q"), source
    assert "is not an ONNX file" in fail(clip, tmp_path / "o.mp4", "--model", text)
    assert "unknown codec 'vp8'" in fail(clip, tmp_path / "o.mp4", "--codec", "vp8")
    assert names(tmp_path) == before


def test_what_a_folder_has_beside_readable_images_is_named(
    tmp_path: Path, nearest_model_path: Path
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    image(folder / "a  b\nc\x1b[31m.png")
    (folder / "lost.png").symlink_to("nothing")
    (folder / "raw.NEF").touch()
    (folder / "pad\x1b[31m.jpg").write_text("no image")
    os.mkfifo(folder / "pipe.png")
    result = run(folder, out, "--model", nearest_model_path)
    assert result.exit_code == 1
    assert "lost.png: is left out, the link leads to nothing\n" in result.stderr
    assert "pipe.png: is left out, it is a pipe, a socket or a device\n" in result.stderr
    assert "raw.NEF left out: images of this format are not read" in result.stderr
    assert "a  b\ufffdc\ufffd[31m.png: " in result.stdout
    assert "\x1b" not in result.output
    assert names(out) == ["a  b\nc\x1b[31m.png"]


def test_a_folder_that_cannot_be_read_is_named(
    tmp_path: Path, nearest_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out, inner = tmp_path / "in", tmp_path / "out", tmp_path / "in" / "inner"
    inner.mkdir(parents=True)
    image(folder / "a.png")
    refused, scandir = {str(inner)}, os.scandir

    def refuse(path: str) -> object:
        if str(path) in refused:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    result = run(folder, out, "--model", nearest_model_path, "--recursive")
    assert f"{inner}: cannot be read (Permission denied); it is left out\n" in result.stderr
    assert names(out) == ["a.png"]
    refused.add(str(folder))
    message = fail(folder, tmp_path / "out2", "--model", nearest_model_path)
    assert message == f"{folder}: cannot be read (Permission denied)"


def test_a_folder_goes_on_after_a_name_that_the_system_refuses(
    tmp_path: Path, nearest_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    stem = 246 * "a"
    for name in (f"{stem}.webm", f"{stem}.mp4"):  # of which one becomes .webm.mp4
        write_clip(folder / "clip.mp4", 3)
        (folder / "clip.mp4").rename(folder / name)
    image(folder / "z.png")
    refused = f"{stem}.webm.mp4"
    monkeypatch.setattr(Path, "exists", refusing(Path.exists, out / refused))
    result = run(folder, out, "--model", nearest_model_path, "-q", "--no-audio")
    assert str(result.exception) == f"1 of 3 files failed: {stem}.webm"
    assert result.stderr == f"failed: {out / refused}: File name too long\n"
    assert names(out) == [f"{stem}.mp4", "z.png"]


def refusing(exists: Callable[[Path], bool], refused: Path) -> Callable[[Path], bool]:
    """`Path.exists` as Python 3.11 has it for names that are too long; later ones say False."""

    def checked(path: Path) -> bool:
        if path == refused:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(path))
        return exists(path)

    return checked
