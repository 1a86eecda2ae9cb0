"""The page's server and its index of models, without a browser."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from framelift.cli.web import web
from framelift.common.errors import ConfigError, MissingDependencyError, ModelError, OutputError
from framelift.runtime.models.depth import at_bits
from framelift.runtime.models.file import read_spec
from framelift.runtime.models.zoo import shipped_models
from framelift.web import site
from framelift.web.model_index import model_index
from framelift.web.server import PageServer
from framelift.web.site import built_files, models_in, save_site

from ..support.waiting import PATIENCE_S, wait_until


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A build of two files."""
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>page</title>")
    (folder / "assets" / "index.js").write_text("export {};")
    (tmp_path / "secret.txt").write_text("secret")
    monkeypatch.setattr(site, "DIST", folder)
    return folder


@pytest.fixture
def models(tmp_path: Path, tiny_models: ModuleType) -> dict[str, Path]:
    folder = tmp_path / "models"
    folder.mkdir()
    tiny_models.save(tiny_models.pixel_shuffle_model(), folder / "mine-x4.onnx")
    return models_in(folder)


@pytest.fixture
def server(page: Path, models: dict[str, Path]) -> Iterator[PageServer]:
    with PageServer("127.0.0.1", 0, models, lambda: model_index(models, print)) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


def ask(
    server: PageServer, address: str, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(
        "127.0.0.1", server.server_address[1], timeout=PATIENCE_S
    )
    connection.request(method, address, headers=headers or {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


@pytest.mark.parametrize("address", ["/", "/index.html", "/?model=mine-x4"])
def test_the_page_is_isolated_so_that_webassembly_has_threads(
    server: PageServer, address: str
) -> None:
    answer, body = ask(server, address)
    assert answer.status == 200
    assert body.startswith(b"<!doctype html>")
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


def test_scripts_models_and_their_index(server: PageServer, models: dict[str, Path]) -> None:
    assert ask(server, "/assets/index.js")[0].headers["Content-Type"].startswith("text/javascript")
    assert ask(server, "/models/mine-x4.onnx")[1] == models["mine-x4"].read_bytes()
    index = json.loads(ask(server, "/models/index.json")[1])
    assert [(model["name"], model["scale"]) for model in index["models"]] == [("mine-x4", 4)]


def test_a_file_that_the_browser_has_is_not_sent_again(server: PageServer) -> None:
    tag = ask(server, "/assets/index.js")[0].headers["ETag"]
    answer, body = ask(server, "/assets/index.js", headers={"If-None-Match": tag})
    assert (answer.status, body) == (304, b"")


@pytest.mark.parametrize(
    "address",
    [
        "/secret.txt",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/models/../../secret.txt",
        "/models/",
        "//etc/passwd",
        "/assets",
        "/\x00",
        "/models/mine-x4.onnx/",
    ],
)
def test_no_address_leads_out_of_the_page(server: PageServer, address: str) -> None:
    answer, body = ask(server, address.replace("\x00", "%00"))
    assert answer.status == 404
    assert b"secret" not in body.replace(b"/secret.txt", b"")


def test_requests_that_are_damaged_and_browsers_that_go_away_leave_no_traceback(
    server: PageServer, page: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (page / "large.bin").write_bytes(bytes(64 << 20))
    server.files["large.bin"] = page / "large.bin"
    address = ("127.0.0.1", server.server_address[1])
    for request in (b"GET http://[ HTTP/1.1\r\n\r\n", b"GET /%ff%00 HTTP/1.1\r\n\r\n", b"\x16\3\n"):
        with socket.create_connection(address, PATIENCE_S) as client:
            client.sendall(request)
            answer = client.recv(4096)
            assert b"400" in answer or b"404" in answer
    with socket.create_connection(address, PATIENCE_S) as client:
        client.sendall(b"GET /large.bin HTTP/1.1\r\n\r\n")
        assert client.recv(20).startswith(b"HTTP/1.1 200")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_until(
        lambda: not any("process_request" in thread.name for thread in threading.enumerate()),
        "the end of all requests",
    )
    assert ask(server, "/")[0].status == 200
    assert capfd.readouterr().err == ""


def test_ipv6(page: Path, models: dict[str, Path]) -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    for host in ("::1", "::"):
        with PageServer(host, 0, models, dict) as found:
            assert found.url == f"http://[::1]:{found.server_address[1]}/"


def test_nothing_can_be_sent_to_it(server: PageServer) -> None:
    assert ask(server, "/", "POST")[0].status == 501
    assert ask(server, "/", "HEAD")[1] == b""


def test_a_port_in_use(server: PageServer, models: dict[str, Path]) -> None:
    port = server.server_address[1]
    with pytest.raises(ConfigError, match=f"127.0.0.1:{port} cannot be used .*--port"):
        PageServer("127.0.0.1", port, models, dict)


@pytest.mark.parametrize("host", ["a..b", 64 * "a"])
@pytest.mark.usefixtures("page")
def test_a_malformed_host_name(host: str, models: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match=rf"{host}:0 cannot be used \(not a host name\).*--host"):
        PageServer(host, 0, models, dict)


def test_without_a_build_one_line_says_what_to_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(site, "DIST", tmp_path)
    with pytest.raises(MissingDependencyError, match="the page is not built: run `make web`"):
        built_files()


def test_the_index_pairs_int8_with_what_it_was_made_of() -> None:
    said: list[str] = []
    index = model_index(shipped_models(), said.append)
    by_name = {model["name"]: model for model in index["models"]}
    assert not said
    assert not [name for name in by_name if name.endswith("-int8")]
    small = by_name["realtime-small-x4-video"]
    assert small["int8"] is not None
    assert small["int8"]["file"] == "realtime-small-x4-video-int8.onnx"
    assert small["defaultFor"] == ["footage"]
    assert by_name["realtime-medium-x4"]["defaultFor"] == ["images"]
    assert by_name["realtime-medium-x4-perceptual"]["defaultFor"] == []
    assert by_name["realtime-medium-x4"]["psnr"] == {
        "set": "Set5",
        "db": pytest.approx(31.61, abs=0.01),
    }
    assert by_name["johnson-x4"]["int8"] is None


def test_a_file_that_is_no_framelift_model_is_left_out_with_a_line(
    tmp_path: Path, tiny_models: ModuleType
) -> None:
    tiny_models.save(tiny_models.pixel_shuffle_model(), tmp_path / "mine.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    said: list[str] = []
    index = model_index(models_in(tmp_path), said.append)
    assert [model["name"] for model in index["models"]] == ["mine"]
    assert len(said) == 1
    assert said[0].startswith("broken.onnx is left out of the page: ")


def test_a_model_of_uint16_frames_is_left_out_with_a_line(
    tmp_path: Path, tiny_models: ModuleType
) -> None:
    path = tiny_models.save(tiny_models.pixel_shuffle_model(), tmp_path / "mine.onnx")
    model = at_bits(read_spec(path), 16).model()
    tiny_models.save(tiny_models.set_metadata(model, depth="16", graph_sha256=None), path)
    said: list[str] = []
    assert model_index(models_in(tmp_path), said.append)["models"] == []
    assert said == [
        "mine.onnx is left out of the page: it takes uint16 frames; export it without --depth 16"
    ]


def test_folders_without_models(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"contains no \.onnx file"):
        models_in(tmp_path)
    with pytest.raises(ModelError, match="is not a folder"):
        models_in(tmp_path / "none")


def test_a_site_to_publish(page: Path, models: dict[str, Path], tmp_path: Path) -> None:
    target = tmp_path / "site"
    size = save_site(target, models, print)
    assert (target / "index.html").read_text() == (page / "index.html").read_text()
    assert (target / "models" / "mine-x4.onnx").read_bytes() == models["mine-x4"].read_bytes()
    assert json.loads((target / "models" / "index.json").read_text())["models"]
    assert "Cross-Origin-Embedder-Policy: require-corp" in (target / "_headers").read_text()
    assert size == sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    with pytest.raises(OutputError, match="is not empty"):
        save_site(target, models, print)


def test_the_command_saves_a_site(page: Path, models: dict[str, Path], tmp_path: Path) -> None:
    folder = next(iter(models.values())).parent
    target = tmp_path / "site"
    done = CliRunner().invoke(web, ["--models", str(folder), "--save", str(target)])
    assert done.exit_code == 0, done.output
    assert (target / "models" / "mine-x4.onnx").is_file()
    done = CliRunner().invoke(web, ["--save", str(target), "--port", "1"])
    assert done.exit_code == 2
    assert "does not start a server" in done.output
