from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from framelift.common.cache_folder import cache_folder
from framelift.common.errors import BackendError, ConfigError, OutputError
from framelift.runtime.gpu.facts import DeviceFacts
from framelift.runtime.gpu.shapes import FrameShape, parse_profile
from framelift.runtime.models.file import ModelSpec, read_spec
from framelift.runtime.tensorrt.cache.folder import EngineCache
from framelift.runtime.tensorrt.cache.key import BuilderOptions, EngineKey
from framelift.runtime.tensorrt.cache.precision import PrecisionReport
from framelift.runtime.tensorrt.cache.sidecar import read_sidecar, sidecar_path
from framelift.runtime.tensorrt.make import write_plan
from framelift.runtime.tensorrt.provide import Built, provide
from framelift.runtime.tensorrt.verify import EngineFacts

from ...support.waiting import PATIENCE_S

FACTS = DeviceFacts("NVIDIA L40", "8.9", "590")


class Shop:
    """A cache, what it said, and a builder that counts its work."""

    def __init__(self, folder: Path, spec: ModelSpec) -> None:
        self.said: list[str] = []
        self.cache = EngineCache(folder, self.said.append)
        self.spec = spec
        self.builds: list[bytes] = []

    def key(self, shapes: str) -> EngineKey:
        return EngineKey(self.spec.sha256, "11.4.0", FACTS, parse_profile(shapes), BuilderOptions())

    def build(self, timings: bytes) -> Built:
        self.builds.append(timings)
        report = PrecisionReport(2, 2, 2, ())
        return Built(b"plan %d" % len(self.builds), b"timings", EngineFacts(report, 5, 1 << 20))

    def provide(self, shapes: str, *, rebuild: bool = False) -> bytes:
        key = self.key(shapes)
        return provide(self.spec, key, self.cache, self.build, rebuild=rebuild).engine.plan

    def path(self, shapes: str) -> Path:
        return self.cache.path(self.key(shapes), self.spec.name)


@pytest.fixture
def shop(tmp_path: Path, nearest_model_path: Path) -> Shop:
    return Shop(tmp_path, read_spec(nearest_model_path))


def test_built_once_then_read(shop: Shop) -> None:
    assert shop.provide("9x9") == b"plan 1"
    assert shop.provide("9x9") == b"plan 1"
    assert shop.provide("8x9") == b"plan 2"
    assert shop.provide("9x9", rebuild=True) == b"plan 3"
    assert not shop.said


def test_timings_of_one_build_help_the_next(shop: Shop) -> None:
    shop.provide("9x9")
    shop.provide("8x9")
    assert shop.builds == [b"", b"timings"]


def test_sidecar_says_what_the_engine_is(shop: Shop) -> None:
    shop.provide("9x9:9x9:16x16")
    sidecar = read_sidecar(shop.path("9x9:9x9:16x16"))
    assert sidecar.key == shop.key("9x9:9x9:16x16")
    assert sidecar.precision.record() == {"convolutions": 2, "seen": 2, "as_graph": 2, "others": []}
    assert (sidecar.model, sidecar.scale, sidecar.layers) == ("tiny-nearest", 4, 5)
    assert sidecar.size_bytes == len(b"plan 1")


@pytest.mark.parametrize(
    "damage", ["cut", "changed", "sidecar gone", "no sidecar", "sidecar of another"]
)
def test_damaged_engine_is_built_again_and_said(shop: Shop, damage: str) -> None:
    shop.provide("9x9")
    path = shop.path("9x9")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "changed":
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    elif damage == "sidecar gone":
        sidecar_path(path).unlink()
    elif damage == "no sidecar":
        sidecar_path(path).write_text('{"format": 1}')
    else:
        text = sidecar_path(path).read_text()
        shop.provide("9x9", rebuild=True)
        sidecar_path(path).write_text(text)
    again = shop.provide("9x9")
    assert again == b"plan %d" % len(shop.builds) != b"plan 1"
    assert len(shop.said) == 1
    assert "the engine is built again" in shop.said[0]
    assert shop.provide("9x9") == again


def test_engine_of_a_changed_model_is_not_taken(shop: Shop) -> None:
    shop.provide("9x9")
    other = replace(shop.key("9x9"), onnx_sha256=shop.spec.sha256[:16] + "f" * 48)
    # Same folder and even the same file name: what is inside the sidecar decides.
    shop.path("9x9").rename(shop.cache.path(other, shop.spec.name))
    sidecar_path(shop.path("9x9")).rename(sidecar_path(shop.cache.path(other, shop.spec.name)))
    assert provide(shop.spec, other, shop.cache, shop.build).built


def test_damaged_timings_are_left_out_and_said(shop: Shop) -> None:
    shop.provide("9x9")
    timings = shop.cache.timing_cache_path(shop.key("9x9"))
    timings.write_bytes(timings.read_bytes()[:-1] + b"?")
    shop.provide("8x9")
    assert shop.builds == [b"", b""]
    assert shop.said[0].endswith("timings start again")
    assert shop.provide("7x9") == b"plan 3"
    assert shop.builds[-1] == b"timings"


def test_failed_build_keeps_nothing(shop: Shop) -> None:
    def fail(timings: bytes) -> Built:
        raise BackendError("no")

    with pytest.raises(BackendError, match="no"):
        provide(shop.spec, shop.key("9x9"), shop.cache, fail)
    assert not list(shop.cache.folder.rglob("*.engine*json"))
    assert shop.provide("9x9") == b"plan 1"


def test_find_prefers_the_engine_for_the_fewest_sizes(shop: Shop) -> None:
    for shapes in ("1x4x4:1x9x9:8x64x64", "1x8x8:1x9x9:2x16x16", "9x9", "10x10"):
        shop.provide(shapes)

    def found(frames: int, height: int, width: int) -> str | None:
        engine = shop.cache.find(shop.key("1x1"), FrameShape(frames, height, width))
        return None if engine is None else str(engine.sidecar.key.profile)

    assert found(1, 9, 9) == "1x9x9"
    assert found(1, 12, 9) == "1x8x8:1x9x9:2x16x16"
    assert found(1, 40, 40) == "1x4x4:1x9x9:8x64x64"
    assert found(1, 65, 65) is None
    assert shop.cache.find(replace(shop.key("1x1"), tensorrt="10.16"), FrameShape(1, 9, 9)) is None


def test_entries_lists_all_even_without_sidecar(shop: Shop) -> None:
    assert shop.cache.entries() == []
    shop.provide("9x9")
    shop.provide("8x9")
    sidecar_path(shop.path("8x9")).unlink()
    known = {path.name: sidecar is not None for path, sidecar in shop.cache.entries()}
    assert known == {shop.path("9x9").name: True, shop.path("8x9").name: False}


def test_cache_that_cannot_be_written_is_said_and_does_without(
    tmp_path: Path, nearest_model_path: Path
) -> None:
    (tmp_path / "engines").write_text("a file where the folder should be")
    shop = Shop(tmp_path, read_spec(nearest_model_path))
    assert shop.provide("9x9") == b"plan 1"
    assert shop.said[0].startswith(f"the engine cache {tmp_path / 'engines'} cannot be written")
    assert any("cannot be stored and is built again next time" in line for line in shop.said)
    assert shop.provide("9x9") == b"plan 2"


@pytest.mark.parametrize("refused", [".engine", ".json"])
def test_engine_and_sidecar_are_kept_both_or_neither(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    """Whichever of the two cannot be put in place; also where an engine file is written."""
    replace_file = os.replace

    def refuse(source: Path, target: Path) -> None:
        if target.suffix == refused:
            raise OSError(28, "No space left on device")
        replace_file(source, target)

    monkeypatch.setattr("os.replace", refuse)
    assert shop.provide("9x9") == b"plan 1"
    assert "the disk is full" in shop.said[0]
    assert not [*tmp_path.rglob("*.engine"), *tmp_path.rglob("*.json")]
    provided = provide(shop.spec, shop.key("9x9"), shop.cache, shop.build)
    with pytest.raises(OutputError, match="the disk is full"):
        write_plan(provided, tmp_path / "m.engine")
    assert not [*tmp_path.rglob("*.engine"), *tmp_path.rglob("*.json")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_cache_that_may_not_be_read(shop: Shop) -> None:
    shop.provide("9x9")
    shop.path("9x9").chmod(0)
    assert shop.provide("9x9") == b"plan 2"
    assert "cannot be read" in shop.said[0]


def test_unreadable_engine_is_said(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.provide("9x9")

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        assert shop.cache.load(shop.path("9x9")) is None
    assert shop.said[0].endswith("cannot be read (Permission denied); the engine is built again")


def test_folder_is_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FRAMELIFT_CACHE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"
    monkeypatch.delenv("FRAMELIFT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "framelift"
    monkeypatch.setenv("FRAMELIFT_CACHE", "~no-such-user/cache")
    with pytest.raises(ConfigError, match="Set FRAMELIFT_CACHE to a folder"):
        cache_folder()


SECOND_PROCESS = """
import sys
from pathlib import Path
from framelift.runtime.tensorrt.cache.folder import EngineCache
from framelift.runtime.tensorrt.verify import EngineFacts
path = Path(sys.argv[1])
with EngineCache(path.parent).locked(path):
    print("locked", flush=True)
    sys.stdin.readline()
    path.write_text("built by the other")
"""


def _other_process(path: Path) -> subprocess.Popen[str]:
    """One that has the lock until it reads a line."""
    command = [sys.executable, "-c", SECOND_PROCESS, str(path)]
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1)
    assert child.stdout is not None
    assert child.stdout.readline() == "locked\n"
    return child


def test_two_processes_do_not_build_the_same_engine(tmp_path: Path) -> None:
    said: list[str] = []
    path = tmp_path / "a.engine"

    def say(line: str) -> None:
        said.append(line)
        assert child.stdin is not None
        child.stdin.write("go on\n")

    with _other_process(path) as child, EngineCache(tmp_path, say).locked(path):
        assert path.read_text() == "built by the other"
        child.wait(PATIENCE_S)
    assert said == ["waiting for another process that is building a.engine"]


def test_killed_builder_leaves_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "a.engine"
    with _other_process(path) as child:
        child.kill()
    said: list[str] = []
    with EngineCache(tmp_path, said.append).locked(path):
        assert said == []
