"""POST /v1/upscale: an image in, the larger one out."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from framelift.serve.jobs.settings import Model

from .conftest import Served, Start


def decoded(data: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def test_an_image_comes_back_as_the_command_makes_it(server: Served, photo: Path) -> None:
    answer = server.client.post(
        "/v1/upscale",
        params={"model": "tiny"},
        content=photo.read_bytes(),
        headers={"Content-Type": "image/png"},
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    image = cv2.imread(str(photo))
    assert image is not None
    assert np.array_equal(decoded(answer.content), np.repeat(np.repeat(image, 4, 0), 4, 1))
    server.idle()


def test_options_are_those_of_a_form_and_the_name_is_the_clients(
    server: Served, photo: Path
) -> None:
    answer = server.client.post(
        "/v1/upscale",
        files={"file": ("holiday.png", photo.read_bytes())},
        data={"model": "tiny", "scale": "2", "format": "jpg"},
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert 'filename="holiday_upscaled.jpg"' in answer.headers["content-disposition"]
    assert decoded(answer.content).shape == (60, 80, 3)
    server.idle()


def test_metadata_is_kept_unless_it_is_unwanted(server: Served, tmp_path: Path) -> None:
    path = tmp_path / "camera.jpg"
    exif = Image.Exif()
    exif[0x010F] = "Maker of cameras"
    Image.new("RGB", (40, 30), (90, 60, 30)).save(path, exif=exif)
    found = []
    for options in ({}, {"no_metadata": "true"}):
        answer = server.client.post(
            "/v1/upscale",
            files={"file": ("camera.jpg", path.read_bytes())},
            data={"model": "tiny", "format": "avif", **options},
        )
        assert answer.headers["content-type"] == "image/avif"
        with Image.open(BytesIO(answer.content)) as result:
            assert result.size == (160, 120)
            found.append(result.getexif().get(0x010F))
    assert found == ["Maker of cameras", None]
    server.idle()


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        ({"scale": "0"}, 400, "Invalid value for '--scale': 0.0 is not in the range 0<x<=64"),
        ({"model": "tinny"}, 400, "'tinny' is not a model of this server (did you mean tiny?)"),
        ({"model": "/etc/passwd"}, 400, "'/etc/passwd' is not a model of this server"),
        ({"crf": "20"}, 400, "crf is for videos, and the input is an image"),
        ({"overwrite": "1"}, 400, "'overwrite' is not an option"),
        ({"format": "exe"}, 400, "an image cannot be made as 'exe'"),
        ({"compare": "perhaps"}, 400, "compare is 'perhaps': use true or false"),
    ],
)
def test_options_that_make_no_sense_are_one_line(
    server: Served, photo: Path, options: dict[str, str], status: int, message: str
) -> None:
    answer = server.client.post(
        "/v1/upscale",
        files={"file": ("a.png", photo.read_bytes())},
        data={"model": "tiny", **options},
    )
    assert answer.status_code == status
    assert answer.json()["error"]["message"].startswith(message)
    assert server.left_over() == []


@pytest.mark.parametrize(
    ("name", "data", "status", "message"),
    [
        ("a.png", b"no picture", 422, "a.png: cannot be read as an image, or is damaged"),
        ("a.png", b"", 422, "a.png: the file is empty"),
        ("a.mp4", b"1", 415, "a.mp4: is not named like an image; send videos to POST /v1/jobs"),
        ("a.psd", b"1", 422, "a.psd: .psd images cannot be read; convert it to PNG first"),
        ("../../etc/a.png", b"1", 422, "a.png: cannot be read as an image, or is damaged"),
    ],
)
def test_files_that_cannot_be_read_get_the_line_of_the_command(
    server: Served, name: str, data: bytes, status: int, message: str
) -> None:
    answer = server.client.post("/v1/upscale", files={"file": (name, data)}, data={"model": "tiny"})
    assert answer.status_code == status
    assert answer.json()["error"]["message"] == message
    server.idle()


def test_an_image_of_too_many_pixels_is_refused_by_its_header(start: Start, photo: Path) -> None:
    server = start(limits={"pixels": 1000})
    answer = server.client.post(
        "/v1/upscale", files={"file": ("a.png", photo.read_bytes())}, data={"model": "tiny"}
    )
    assert answer.status_code == 413
    assert answer.json()["error"] == {
        "kind": "LimitError",
        "message": "a.png: 40×30 are 1,200 pixels; this server's limit is 1,000",
    }
    server.idle()


@pytest.mark.parametrize("option", [{"scale": "5"}, {"size": "200x5000"}, {"height": "150"}])
def test_a_result_of_too_many_pixels_is_refused(
    start: Start, photo: Path, option: dict[str, str]
) -> None:
    server = start(limits={"pixels": 1200})
    answer = server.client.post(
        "/v1/upscale",
        files={"file": ("a.png", photo.read_bytes())},
        data={"model": "tiny", **option},
    )
    assert answer.status_code == 413
    assert "at scale 5 makes more than 19,200 pixels" in answer.text
    server.idle()


def test_a_size_is_kept(server: Served, photo: Path) -> None:
    for option, size in (({"size": "100x100"}, (100, 75)), ({"height": "90"}, (120, 90))):
        answer = server.client.post(
            "/v1/upscale",
            files={"file": ("a.png", photo.read_bytes())},
            data={"model": "tiny", **option},
        )
        assert answer.status_code == 200, answer.text
        with Image.open(BytesIO(answer.content)) as image:
            assert image.size == size
    server.idle()


def test_too_many_bytes_are_refused_before_they_are_sent(start: Start) -> None:
    server = start(limits={"bytes": 1000})
    for content in (bytes(2000), iter([bytes(600), bytes(600)])):  # with and without a length
        answer = server.client.post(
            "/v1/upscale", content=content, headers={"Content-Type": "image/png"}
        )
        assert answer.status_code == 413
        assert "more than 1000 bytes" in answer.json()["error"]["message"]
    server.idle()


def test_too_little_memory_is_one_line(start: Start, photo: Path) -> None:
    server = start(limits={"memory_bytes": 96 << 20})
    answer = server.client.post(
        "/v1/upscale", files={"file": ("a.png", photo.read_bytes())}, data={"model": "tiny"}
    )
    assert answer.status_code in (413, 422)
    assert "memory" in answer.json()["error"]["message"]
    server.idle()


def test_the_folders_of_the_server_are_not_told(start: Start, photo: Path, tmp_path: Path) -> None:
    gone = tmp_path / "models" / "gone.onnx"
    server = start(models={"gone": Model("gone", "upscale", str(gone))})
    answer = server.client.post(
        "/v1/upscale", files={"file": ("a.png", photo.read_bytes())}, data={"model": "gone"}
    )
    assert answer.status_code == 422
    message = answer.json()["error"]["message"]
    assert message.startswith("gone.onnx")
    assert str(tmp_path) not in message
    server.idle()
