"""What the names of inputs and outputs mean."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from framelift.common.errors import InputError, OutputError
from framelift.runtime.live.sources.address import SourceKind, parse_source
from framelift.runtime.live.targets.address import TargetKind, parse_target


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ("0", SourceKind.CAMERA, "camera 0"),
        ("/dev/video12", SourceKind.CAMERA, "camera 12"),
        ("-", SourceKind.PIPE, "stdin"),
        ("rtsp://me:secret@host:554/a?b=c", SourceKind.STREAM, "rtsp://host:554/a?…"),
        ("rtsp://me:se/cr#e[t@host/a", SourceKind.STREAM, "rtsp://host/a"),
        ("rtsp://me:s@e/cret@host/a", SourceKind.STREAM, "rtsp://host/a"),
        ("https://host/a.m3u8?token=secret#x", SourceKind.STREAM, "https://host/a.m3u8?…"),
        (
            "rtsp://host/user=me_password=se_cret_channel=1_stream=0.sdp",
            SourceKind.STREAM,
            "rtsp://host/user=me_password=…_channel=1_stream=0.sdp",
        ),
        ("rtsp://host/a/token=secret/b", SourceKind.STREAM, "rtsp://host/a/token=…/b"),
        ("rtmp://host/app/key", SourceKind.STREAM, "rtmp://host/app/…"),
        ("HTTP://host/a.ts", SourceKind.STREAM, "HTTP://host/a.ts"),
        ("http://host:80/@a", SourceKind.STREAM, "http://host:80/@a"),
        ("http://[::1]/@a", SourceKind.STREAM, "http://[::1]/@a"),
        ("http://[::1/a", SourceKind.STREAM, "http://[::1/a"),
        ("none.mp4", SourceKind.FILE, "none.mp4"),
    ],
)
def test_sources(text: str, kind: SourceKind, shown: str) -> None:
    source = parse_source(text)
    assert (source.kind, source.shown) == (kind, shown)


def test_what_exists_is_a_file_or_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("0").touch()
    os.mkfifo("pipe")
    assert parse_source("0").kind is SourceKind.FILE
    assert parse_source("pipe").kind is SourceKind.PIPE


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ("window", TargetKind.WINDOW, "window"),
        ("null", TargetKind.NULL, "null"),
        ("-", TargetKind.Y4M, "stdout"),
        ("rtmp://me:secret@host/app/key", TargetKind.STREAM, "rtmp://host/app/…"),
        ("tcp://host:80", TargetKind.STREAM, "tcp://host:80"),
        ("out.mp4", TargetKind.FILE, "out.mp4"),
    ],
)
def test_targets(text: str, kind: TargetKind, shown: str) -> None:
    target = parse_target(text)
    assert (target.kind, target.shown) == (kind, shown)


def test_unknown_protocols_are_refused_without_the_password() -> None:
    with pytest.raises(InputError, match=r"^gopher://host/x: cannot be read from; use one of rtsp"):
        parse_source("gopher://me:secret@host/x")
    with pytest.raises(OutputError, match=r"^http://host/x: cannot be written to; use one of rtmp"):
        parse_target("http://me:secret@host/x")
