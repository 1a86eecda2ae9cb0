"""Who may use a server, and what becomes of the token."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from framelift.cli.main import main
from framelift.common.errors import ConfigError
from framelift.serve.server import listen

from ..support.waiting import wait_until
from .conftest import Served, Start
from .test_restart import serving, wait_for_frames, working_in

TOKEN = "correct-horse-battery-staple"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_others_can_reach_it_only_with_a_token(
    host: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FRAMELIFT_TOKEN", raising=False)
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--host", host, "--folder", str(tmp_path / "f")])
    assert ended.value.code == 1
    assert f"--host {host}: others can reach this server, so it needs a token" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "f").exists()


def test_a_short_token_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--token", "hunter2", "--folder", str(tmp_path / "f")])
    line = capsys.readouterr().err
    assert "must have at least 16 characters" in line
    assert "hunter2" not in line


def test_an_empty_token_is_not_none(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMELIFT_TOKEN", "")
    with pytest.raises(SystemExit):
        main(["serve", "--port", "0", "--folder", str(tmp_path / "f")])
    assert capsys.readouterr().err == (
        "framelift: FRAMELIFT_TOKEN is empty: set a token, or remove the variable\n"
    )


def test_a_port_that_is_taken_is_one_line(
    server: Served, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    port = server.client.base_url.port
    with pytest.raises(SystemExit):
        main(["serve", "--port", str(port), "--folder", str(tmp_path)])
    assert capsys.readouterr().err == (
        f"framelift: 127.0.0.1:{port} cannot be used (Address already in use): "
        "choose another with --host or --port\n"
    )


@pytest.mark.parametrize("host", ["a..b", 64 * "a"])
def test_a_malformed_host_name_is_one_line(host: str) -> None:
    with pytest.raises(ConfigError, match=rf"--host {host}: no such address \(not a host name"):
        listen(host, 0)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--backend", "onnx-gpu"], "unknown backend 'onnx-gpu'"),
        (["--memory", "20M"], "out of memory"),
    ],
)
def test_options_with_which_no_job_can_run_are_refused_at_the_start(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, options: list[str], line: str
) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--port", "0", "--folder", str(tmp_path / "f"), *options])
    assert capsys.readouterr().err.startswith(
        f"framelift: jobs cannot run with these options: {line}"
    )
    assert not (tmp_path / "f").exists()


def test_a_folder_that_is_in_use_is_one_line(
    server: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--port", "0", "--folder", str(server.folder)])
    assert "another `framelift serve` uses this folder" in capsys.readouterr().err


def test_the_api_asks_for_the_token_and_takes_it_as_header_or_cookie(start: Start) -> None:
    client = start(token=TOKEN).client
    for address in ("/v1/models", "/v1/jobs", "/metrics", "/v1/nothing"):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": f"framelift={TOKEN}"}):
            answer = client.get(address, headers=headers)
            assert answer.status_code == 401
            assert answer.json()["error"]["kind"] == "AccessError"
    assert client.get("/v1/models", headers=BEARER).status_code == 200
    assert client.get("/openapi.json").status_code == 200
    assert client.post("/v1/session").status_code == 401
    session = client.post("/v1/session", headers=BEARER)
    cookie = session.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert client.get("/v1/models").status_code == 200  # by the cookie
    client.delete("/v1/session")
    assert client.get("/v1/models").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:8000"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_pages_of_other_origins_cannot_use_it(
    server: Served, photo: Path, headers: dict[str, str]
) -> None:
    answer = server.client.post(
        "/v1/jobs", files={"file": ("a.png", photo.read_bytes())}, headers=headers
    )
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    server.idle()


def test_cors_is_closed_and_the_page_is_isolated(server: Served) -> None:
    answer = server.client.options(
        "/v1/jobs",
        headers={"Origin": str(server.client.base_url), "Access-Control-Request-Method": "POST"},
    )
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    headers = server.client.get("/").headers
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-embedder-policy"] == "require-corp"
    assert headers["x-content-type-options"] == "nosniff"


def test_without_a_built_page_the_start_page_says_how_to_build_it(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("framelift.web.site.DIST", tmp_path / "dist")
    client = start().client
    answer = client.get("/")
    assert answer.status_code == 200
    assert "run `make web`" in answer.text
    assert client.get("/index.html").status_code == 404


def test_a_built_page_is_served_with_its_models(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shuffle_model_path: Path
) -> None:
    monkeypatch.setattr("framelift.web.site.DIST", site := tmp_path / "dist")
    site.mkdir()
    (site / "index.html").write_text('<html lang="en"><title>page</title>')
    (tmp_path / "secret.txt").write_text("secret")
    client = start(page_models={"tiny": shuffle_model_path}).client
    assert client.get("/").text == '<html data-server lang="en"><title>page</title>'
    assert client.get("/models/tiny.onnx").content == shuffle_model_path.read_bytes()
    (listed,) = client.get("/models/index.json").json()["models"]
    assert listed["name"] == "tiny"
    for address in ("/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "//etc/passwd"):
        assert client.get(address).status_code == 404
    assert client.get("/v1/models").status_code == 200
    assert client.get("/v1/jobs/../../etc/passwd").status_code == 404


def test_nothing_that_is_secret_is_logged(
    start: Start, photo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("framelift.serve")
    before = logger.propagate, logger.level
    logger.propagate = True
    logger.setLevel(logging.DEBUG)
    try:
        client = start(token=TOKEN).client
        client.get(f"/v1/models?token={TOKEN}", headers=BEARER)
        client.post("/v1/session", headers=BEARER)
        client.post(
            "/v1/upscale",
            files={"file": ("private-name.png", photo.read_bytes())},
            data={"model": "tiny"},
            headers=BEARER,
        )
        # The line may come after the response.
        wait_until(lambda: "POST /v1/upscale" in caplog.text, "a line on the request")
    finally:
        logger.propagate, level = before
        logger.setLevel(level)
    assert "POST /v1/upscale 200" in caplog.text
    assert TOKEN not in caplog.text
    assert "private-name" not in caplog.text


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_token_is_in_no_command_line_and_not_told_to_jobs(
    tmp_path: Path, nearest_model_path: Path, long_clip: Path
) -> None:
    folder = tmp_path / "served"
    with serving(folder, nearest_model_path, "--token", TOKEN) as (process, client):
        client.headers.update(BEARER)
        job = client.post(
            "/v1/jobs",
            files={"file": (long_clip.name, long_clip.read_bytes())},
            data={"model": nearest_model_path.stem},
        ).headers["location"]
        wait_for_frames(client, job)
        for number in (process.pid, *working_in(folder)):
            for name in ("cmdline", "environ"):
                assert TOKEN.encode() not in Path(f"/proc/{number}/{name}").read_bytes()
        client.delete(job)
    assert TOKEN not in (tmp_path / "log.txt").read_text()


def test_the_token_of_the_environment_is_not_told_to_jobs(
    start: Start, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMELIFT_TOKEN", TOKEN)
    tells = (
        'import json, os; print(json.dumps({"error": {"kind": "K", "message": str(os.environ)}}))'
    )
    server = start(command=(sys.executable, "-c", tells))
    job = server.finished(server.upload(clip))
    assert "FRAMELIFT_CONFIG" in job["error"]["message"]
    assert TOKEN not in job["error"]["message"]


def test_packages_that_are_missing_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)  # as if it were not installed
    with pytest.raises(SystemExit):
        main(["serve"])
    assert capsys.readouterr().err == (
        'framelift: `framelift serve` needs uvicorn: pip install "framelift[serve]"\n'
    )
