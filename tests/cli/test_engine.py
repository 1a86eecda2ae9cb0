"""`framelift engine`, on simulated libraries where an engine is built."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from framelift.cli.main import main
from framelift.common.errors import ConfigError
from framelift.export.triton.repository import write_repository


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("FRAMELIFT_CACHE", str(folder))
    return folder


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, simulated_gpu: ModuleType) -> None:
    simulated_gpu.install(monkeypatch, simulated_gpu.Gpu())


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in ("engine", *arguments)])
    assert isinstance(ended.value.code, int)
    return ended.value.code


Capture = pytest.CaptureFixture[str]


@pytest.mark.usefixtures("gpu")
def test_build_then_take_it_from_the_cache(shuffle_model_path: Path, capsys: Capture) -> None:
    assert run("build", shuffle_model_path, "--shapes", "9x7") == 0
    first = capsys.readouterr()
    path = Path(first.out.strip())
    assert path.is_file()
    assert first.err.startswith("built in ")
    assert first.err.endswith("3 of 3 convolutions run in the graph's precision\n")
    assert run("build", shuffle_model_path, "--shapes", "9x7") == 0
    again = capsys.readouterr()
    assert again.out == first.out
    assert again.err.startswith("taken from the cache; ")


@pytest.mark.usefixtures("gpu")
def test_build_to_a_file_that_other_tools_read(
    shuffle_model_path: Path, tmp_path: Path, capsys: Capture
) -> None:
    plan = tmp_path / "model.plan"
    arguments = ("build", shuffle_model_path, "--shapes", "8x8:9x9:2x16x16", "-o", plan)
    assert run(*arguments, "--level", 5, "--tf32", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["path"] == str(plan)
    assert document["built"] is True
    assert document["key"]["shapes"] == "1x8x8:1x9x9:2x16x16"
    assert (document["key"]["level"], document["key"]["tf32"]) == (5, True)
    assert plan.read_bytes().startswith(b'{"scale": 4')  # no seal before the engine
    assert run("inspect", plan) == 0
    assert "sound" in capsys.readouterr().out
    assert run(*arguments) == 1
    assert "already exists; pass --overwrite" in capsys.readouterr().err
    plan.write_bytes(plan.read_bytes()[:-1])
    assert run("inspect", plan) == 1
    assert "is not the engine that its .json beside it describes" in capsys.readouterr().err


@pytest.mark.usefixtures("gpu")
def test_list_and_inspect(shuffle_model_path: Path, cache: Path, capsys: Capture) -> None:
    run("build", shuffle_model_path, "--shapes", "9x7")
    run("build", shuffle_model_path, "--shapes", "8x8")
    capsys.readouterr()
    assert run("list") == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["engine", "model", "shapes"]
    assert len(rows) == 2
    digest = rows[0].split()[0]
    assert run("inspect", digest[:6]) == 0
    shown = capsys.readouterr().out
    assert "TensorRT   11.4.0.106" in shown
    assert "Simulated GPU, compute capability 9.0" in shown
    assert run("inspect", digest, "--json") == 0
    assert json.loads(capsys.readouterr().out)["digest"] == digest
    first_letters = [row[0] for row in rows]
    while len(set(first_letters)) == len(first_letters):  # until two begin alike
        run("build", shuffle_model_path, "--shapes", f"{10 + len(first_letters)}x8")
        capsys.readouterr()
        run("list")
        first_letters = [row[0] for row in capsys.readouterr().out.splitlines()[1:]]
    assert run("inspect", max(first_letters, key=first_letters.count)) == 1
    assert "several engines" in capsys.readouterr().err
    assert run("list", "--json") == 0
    documents = json.loads(capsys.readouterr().out)
    assert {entry["model"] for entry in documents} == {"tiny-shuffle"}
    for sidecar in cache.rglob("*.json"):
        sidecar.write_text("{}")
    assert run("list") == 0
    assert "unreadable; it will be built again" in capsys.readouterr().out


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("precision", [{}, {"convolutions": 1, "seen": "x", "as_graph": 1}, []])
def test_a_changed_description_is_refused(
    shuffle_model_path: Path, tmp_path: Path, precision: object, capsys: Capture
) -> None:
    plan = tmp_path / "model.plan"
    run("build", shuffle_model_path, "--shapes", "9x7", "-o", plan)
    description = tmp_path / "model.plan.json"
    document = json.loads(description.read_text())
    description.write_text(json.dumps({**document, "precision": precision}))
    capsys.readouterr()
    assert run("inspect", plan) == 1
    assert "is not a description of an engine: build it again" in capsys.readouterr().err


def test_list_of_an_empty_cache(cache: Path, capsys: Capture) -> None:
    assert run("list") == 0
    assert capsys.readouterr().out == f"No engines in {cache / 'engines'}.\n"
    assert run("list", "--json") == 0
    assert capsys.readouterr().out == "[]\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--shapes", "9"), "'9' is not a size; write HxW"),
        (("--shapes", "9x9:8x8:9x9"), "they must not decrease"),
        (("--shapes", "9x9", "--level", "6"), "level is 6: use 0 to 5"),
        (("--shapes", "9x9", "-o", "no/such/folder/m.plan"), "does not exist; create it first"),
    ],
)
def test_bad_options_are_one_line(
    shuffle_model_path: Path, options: tuple[str, ...], message: str, capsys: Capture
) -> None:
    assert run("build", shuffle_model_path, *options) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_bad_model(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "m.onnx").write_bytes(b"no model")
    assert run("build", tmp_path / "m.onnx", "--shapes", "9x9") == 1
    assert "is not an ONNX file or is damaged" in capsys.readouterr().err


@pytest.mark.skipif(find_spec("tensorrt") is not None, reason="TensorRT is installed")
def test_without_tensorrt(shuffle_model_path: Path, cache: Path, capsys: Capture) -> None:
    assert run("build", shuffle_model_path, "--shapes", "9x9") == 1
    assert capsys.readouterr().err == (
        'framelift: TensorRT is not installed: run `pip install "framelift[tensorrt]"`\n'
    )
    assert not cache.exists()


@pytest.mark.parametrize("name", ["0123", "no/such.plan"])
def test_inspect_what_is_not_there(name: str, capsys: Capture) -> None:
    assert run("inspect", name) == 1
    assert "no engine in" in (error := capsys.readouterr().err) or "No such file" in error


@pytest.mark.compile
@pytest.mark.parametrize(("gpu", "capability"), [("ada", "8.9"), ("SM120", "12.0"), ("7.5", "7.5")])
def test_an_engine_for_another_machine_needs_no_gpu(
    shuffle_model_path: Path, tmp_path: Path, capsys: Capture, gpu: str, capability: str
) -> None:
    engine = tmp_path / "x.engine"
    build = ("build", shuffle_model_path, "--shapes", "8x8:9x9:2x16x16", "--gpu", gpu, "-o", engine)
    assert run(*build) == 0
    said = capsys.readouterr()
    assert said.out == f"{engine}\n"
    assert said.err.endswith("; fp32, not verified: only the GPU that it is for can verify it\n")
    assert run("inspect", engine, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["key"]["tensorrt"].startswith("RTX 1.")
    assert document["key"]["compute_capability"] == capability
    assert document["key"]["shapes"] == "1x8x8:1x9x9:2x16x16"
    assert (document["layers"], document["device_memory_bytes"]) == (None, None)
    assert document["size_bytes"] == engine.stat().st_size
    assert run("inspect", engine) == 0
    assert "layers" not in capsys.readouterr().out
    assert run(*build) == 1
    assert "already exists; pass --overwrite" in capsys.readouterr().err


@pytest.mark.compile
@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ("--gpu", "hopper", "-o", "x.engine"),
            "'hopper' is not a generation of GPUs: use turing,",
        ),
        (("--gpu", "sm90", "-o", "x.engine"), "builds for no GPU of SM90: use one of SM75, SM80,"),
        (("--gpu", "ada"), "--gpu builds for another machine: pass --output, too"),
        (("--gpu", "ada", "-o", "x.engine", "--device", "0"), "--device is for this machine"),
        (("--gpu", "ada", "-o", "x.engine", "--rebuild"), "--rebuild is for this machine"),
    ],
)
def test_what_cannot_be_built_for_another_machine(
    shuffle_model_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    arguments: tuple[str, ...],
    error: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("build", shuffle_model_path, "--shapes", "9x9", *arguments) == 1
    said = capsys.readouterr()
    assert error in said.err
    assert said.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.compile
def test_triton_takes_no_engine_of_tensorrt_for_rtx(
    shuffle_model_path: Path, tmp_path: Path
) -> None:
    engine, folder = tmp_path / "x.plan", tmp_path / "repository"
    assert run("build", shuffle_model_path, "--shapes", "9x9", "--gpu", "ada", "-o", engine) == 0
    with pytest.raises(ConfigError, match="of TensorRT for RTX, which Triton does not run"):
        write_repository(shuffle_model_path, folder, engine)
    assert not folder.exists()
