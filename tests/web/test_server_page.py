"""The page of `framelift serve`: whole videos go up, and come back larger."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import pytest

from framelift.cli.serve.settings import problem_of
from framelift.serve.jobs.settings import Model, Settings

from ..serve.conftest import COMMAND, Served, running
from ..support.clips import make_clip, noise
from .conftest import Scenario

TOKEN = "correct-horse-battery-staple"
TINY = {"Model": "tiny-nearest"}


@pytest.fixture(scope="module")
def settings(nearest_model_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    name = nearest_model_path.stem
    return Settings(
        folder=tmp_path_factory.mktemp("served") / "folder",
        command=COMMAND,
        check_options=problem_of,
        models={name: Model(name, "upscale", str(nearest_model_path), {"scale": 4})},
        arguments=["--backend=onnx-cpu", "--threads=1"],
    )


@pytest.fixture(scope="module")
def server(scenario: Scenario, settings: Settings) -> Iterator[Served]:
    with running(settings) as served:
        yield served


@pytest.fixture(autouse=True)
def _no_jobs_left(server: Served) -> Iterator[None]:
    yield
    for job in server.client.get("/v1/jobs").json()["jobs"]:
        server.client.delete(f"/v1/jobs/{job['id']}")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of 160×120."""
    return make_clip(tmp_path_factory.mktemp("clips") / "my clip.mp4", noise(300, 160, 120))


def test_a_video_job_runs_to_its_end_with_progress(
    scenario: Scenario, server: Served, clip: Path, tmp_path: Path
) -> None:
    target = tmp_path / "result.mp4"
    found = scenario(
        "server",
        "video",
        url=server.client.base_url,
        file=clip,
        options={**TINY, "Scale": "2", "Quality (CRF)": "30"},
        target=target,
        shot=tmp_path / "player.png",
    )
    lines = "\n".join(found["lines"])
    assert re.search(r"Upscaling, \d+ %, \d+ s left, [\d.]+ frames a second", lines), lines
    assert re.search(r"Done: 320 × 240, [\d.]+ [kM]B, kept until", lines), lines
    assert found["sizes"] == [[160, 120], [320, 240]]
    before, after = found["times"]
    assert after > 0.3
    assert abs(before - after) < 0.1
    assert found["split"] == "0"
    assert found["name"] == "my clip_upscaled.mp4"
    with av.open(str(target)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 300
    assert found["left"] == 0
    assert found["said"] == []
    host = str(server.client.base_url).rstrip("/")
    assert [url for url in found["requests"] if not url.startswith(f"{host}/")] == []
    server.idle()


def test_a_cancelled_job_leaves_nothing(scenario: Scenario, server: Served, clip: Path) -> None:
    found = scenario(
        "server",
        "cancelled",
        url=server.client.base_url,
        file=clip,
        options={**TINY, "Scale": "4"},
    )
    assert found["left"] == 0
    assert server.left_over() == []


def test_a_text_named_mp4_gets_its_line(scenario: Scenario, server: Served, tmp_path: Path) -> None:
    text = tmp_path / "diary.mp4"
    text.write_text("Dear diary, today I renamed a text.\n" * 20)
    found = scenario("server", "refused", url=server.client.base_url, file=text, options=TINY)
    assert found["notice"] == (
        "diary.mp4: cannot be read as a video, or is damaged "
        "(Invalid data found when processing input)"
    )


def test_of_a_clip_that_the_browser_cannot_play_the_result_is_shown(
    scenario: Scenario, server: Served, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "lossless.mkv", noise(5), codec="ffv1")
    found = scenario("server", "unplayable", url=server.client.base_url, file=clip, options=TINY)
    assert found["notice"] == "This browser cannot show lossless.mkv: only the result is shown."
    assert found["split"] == "0"


def test_a_token_is_asked_for_once(
    scenario: Scenario, settings: Settings, clip: Path, tmp_path: Path
) -> None:
    with running(replace(settings, folder=tmp_path / "closed", token=TOKEN)) as closed:
        found = scenario(
            "server",
            "token",
            url=closed.client.base_url,
            file=clip,
            token=TOKEN,
            options=TINY,
        )
    assert found["notice"] == "this is not the server's token"


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(
    scenario: Scenario, server: Served, clip: Path, tmp_path: Path, width: int, scheme: str
) -> None:
    broken = tmp_path / "diary.mp4"
    broken.write_text("Dear diary")
    found = scenario(
        "server",
        "look",
        url=server.client.base_url,
        file=clip,
        broken=broken,
        options=TINY,
        scheme=scheme,
        viewport={"width": width, "height": 860},
        shot=tmp_path / "page.png",
    )
    assert found["violations"] == []
    assert not found["wide"]
