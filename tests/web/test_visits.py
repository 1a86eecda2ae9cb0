"""What the page loads, whom it serves, and what it says when something is not as it should be."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest

from framelift.runtime import Upscaler
from framelift.runtime.models.zoo import shipped_models
from framelift.web.site import save_site

from .conftest import Scenario
from .test_pictures import codes_apart, photograph, read
from .test_videos import write_clip

__all__ = ["photograph"]
MOST_BYTES = 200_000


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "notes.png"
    path.write_text("no picture")
    return path


@pytest.fixture
def published(tmp_path: Path) -> Iterator[str]:
    """The saved site in a folder of a host that sends no headers."""
    models = {
        name: shipped_models()[name] for name in ("realtime-nano-x4", "realtime-nano-x4-int8")
    }
    if not (tmp_path / "site").exists():
        save_site(tmp_path / "site" / "below", models, print)
    handler = functools.partial(_Quiet, directory=str(tmp_path / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/below/"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def test_the_first_visit_transfers_little_and_asks_no_other_host(
    scenario: Scenario, url: str
) -> None:
    found = scenario("visits", "first", url=url)
    assert found["title"] == "Framelift"
    assert found["bytes"] < MOST_BYTES
    assert all(address.startswith(url) for address in found["addresses"])
    assert not [address for address in found["addresses"] if "/ort/" in address]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_axe_finds_no_violation(
    scenario: Scenario, url: str, text: Path, tmp_path: Path, scheme: str, width: int
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 96, 64, 10)
    found = scenario(
        "visits",
        "accessibility",
        url=f"{url}?engine=wasm",
        text=text,
        clip=clip,
        scheme=scheme,
        viewport={"width": width, "height": 800},
    )
    assert not [line for lines in found["found"].values() for line in lines]
    assert len(found["found"]) == 6


def test_the_keyboard_reaches_everything_and_the_focus_is_seen(
    scenario: Scenario, url: str
) -> None:
    address = f"{url}?model=realtime-nano-x4&engine=wasm"
    found = scenario("visits", "focus", url=address)
    reached = found["reached"]
    assert found["after"] == "main"  # the button that had the focus is hidden
    names = [item["name"] for item in reached]
    for name in ("Picture", "Model", "Runs on", "Line between before and after", "Zoom in"):
        assert name in names
    assert "Download PNG" in names
    assert [item["name"] for item in reached if not item["isSeen"] and item["name"]] == []


def test_pictures_that_are_pasted_and_dropped(
    scenario: Scenario, url: str, photograph: Path
) -> None:
    address = f"{url}?model=realtime-nano-x4&engine=wasm"
    found = scenario("visits", "pasteAndDrop", url=address, file=photograph)
    assert "96 × 80 → 384 × 320" in found["pasted"]
    assert "96 × 80 → 384 × 320" in found["dropped"]
    assert not found["notices"]


def test_a_published_site_says_why_it_has_one_thread(
    scenario: Scenario, published: str, photograph: Path
) -> None:
    found = scenario("visits", "published", url=f"{published}?engine=wasm", file=photograph)
    assert "WebAssembly, 1 thread\n" in found["facts"]
    assert "one thread" in found["isolation"]
    assert "Cross-Origin-Embedder-Policy" in found["isolation"]


def test_http_of_another_machine_is_named_as_the_reason(
    scenario: Scenario, url: str, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 96, 64, 10)
    address = url.replace("127.0.0.1", "plain.test")
    found = scenario("visits", "insecure", url=f"{address}?engine=wasm#video", clip=clip)
    assert found["isolation"].startswith("This address is neither https nor this machine.")
    assert "WebGPU, on https only" in found["engines"]
    assert found["notices"] == [
        "Browsers encode video on https and on this machine only: use `framelift upscale`."
    ]


@pytest.mark.parametrize(
    ("name", "page", "line"),
    [
        ("notes.png", "", "notes.png is no picture that this browser can read"),
        ("notes.mp4", "#video", "notes.mp4 is no video that this browser can play"),
    ],
)
def test_a_text_by_another_name(
    scenario: Scenario, url: str, tmp_path: Path, name: str, page: str, line: str
) -> None:
    file = tmp_path / name
    file.write_text("no picture")
    (notice,) = scenario("visits", "refused", url=url + page, file=file)["notices"]
    assert notice.startswith(line)


def test_a_model_file_of_ones_own(
    scenario: Scenario, url: str, photograph: Path, tmp_path: Path, tiny_models: ModuleType
) -> None:
    model = tmp_path / "mine.onnx"
    tiny_models.save(tiny_models.nearest_model(2), model)
    target = tmp_path / "out.png"
    found = scenario(
        "visits",
        "ownModel",
        url=f"{url}?engine=wasm",
        file=photograph,
        model=model,
        waitFor="mine",
        target=target,
    )
    assert not found["notices"]
    with Upscaler.load(model, "onnx-cpu") as upscale:
        whole = upscale(np.ascontiguousarray(read(photograph)))
    assert codes_apart(read(target), whole) == 0


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"no model", "theirs.onnx is no ONNX file, or is damaged."),
        (None, "theirs.onnx is no framelift model: make one of it with `framelift import`."),
    ],
)
def test_a_model_file_that_is_none_of_ours(
    scenario: Scenario,
    url: str,
    photograph: Path,
    tmp_path: Path,
    tiny_models: ModuleType,
    content: bytes | None,
    line: str,
) -> None:
    path = tmp_path / "theirs.onnx"
    if content is None:
        model = tiny_models.pixel_shuffle_model()
        del model.metadata_props[:]
        content = onnx.ModelProto.SerializeToString(model)
    path.write_bytes(content)
    found = scenario(
        "visits",
        "ownModel",
        url=f"{url}?engine=wasm&model=realtime-nano-x4",
        file=photograph,
        model=path,
        waitFor="theirs",
    )
    assert found["notices"] == [line]
