"""A job ends with the line that the command prints in a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from framelift.cli.main import main

from ..support.clips import make_clip, noise
from .conftest import Served


def cut_short(clip: Path) -> bytes:
    return clip.read_bytes()[:-2000]


def changes_size(clip: Path) -> bytes:
    """Two raw streams of other sizes behind each other."""
    parts = []
    for number, (width, height) in enumerate(((64, 48), (80, 48))):
        part = make_clip(clip.with_name(f"{number}.h264"), noise(3, width, height))
        parts.append(part.read_bytes())
    return b"".join(parts)


def sound_only(clip: Path) -> bytes:
    import av
    import numpy as np

    path = clip.with_name("sound.mkv")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.sample_rate = 8000
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    return path.read_bytes()


def deep(clip: Path) -> bytes:
    image = cv2.imread(str(clip))
    assert image is None
    encoded = cv2.imencode(".tiff", noise(1)[0].astype("float32"))[1]
    return bytes(encoded)


@pytest.mark.parametrize(
    ("name", "make", "options"),
    [
        ("cut.mp4", cut_short, {}),
        ("two.h264", changes_size, {}),
        ("sound.mkv", sound_only, {}),
        ("deep.tiff", deep, {}),
        ("clip.mp4", Path.read_bytes, {"codec": "ffv1", "format": "mp4"}),
        ("clip.mp4", Path.read_bytes, {"codec": "h263"}),
        ("clip.mp4", Path.read_bytes, {"crf": "99"}),
        ("clip.mp4", Path.read_bytes, {"start": "1:75"}),
        ("clip.mp4", Path.read_bytes, {"start": "90"}),
        ("clip.mp4", Path.read_bytes, {"start": "2", "end": "1"}),
    ],
)
def test_the_error_is_the_commands(
    server: Served,
    clip: Path,
    nearest_model_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    make: Callable[[Path], bytes],
    options: dict[str, str],
) -> None:
    source = tmp_path / "mine.mp4"
    source.write_bytes(clip.read_bytes())
    data = make(source)
    (tmp_path / name).write_bytes(data)
    answer = server.client.post(
        "/v1/jobs", files={"file": (name, data)}, data={"model": "tiny", **options}
    )
    assert answer.status_code == 201, answer.text
    job = server.finished(answer.json()["id"])
    assert job["state"] == "failed"
    result = {"deep.tiff": "deep_upscaled.png"}.get(name, f"{name.partition('.')[0]}_upscaled.mp4")
    given = [f"--{key}={value}" for key, value in options.items() if key != "format"]
    command = ["upscale", name, result, "--json", "--model", str(nearest_model_path), *given]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(command)
    printed = capsys.readouterr()
    assert job["error"] == json.loads(printed.out)["error"]
    assert printed.err.splitlines()[-1] == f"framelift: {job['error']['message']}"
    server.client.delete(f"/v1/jobs/{job['id']}")
