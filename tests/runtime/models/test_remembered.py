"""What was made of a model's file in an earlier run is the same, and never stands in the way."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from framelift.common.errors import ModelError
from framelift.runtime.backends.cpu.saturation import adds_in_16_bits
from framelift.runtime.backends.onnx_cpu import OnnxCpuSession
from framelift.runtime.models.file import load, read_spec
from framelift.runtime.models.remembered import Facts, remembered, remembering
from framelift.runtime.models.zoo import resolve

NAMES = ("name", "sides")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with remembering(tmp_path / "models"):
        yield tmp_path / "models"


class Maker:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> tuple[Facts, bytes]:
        self.count += 1
        return {"sides": [1, None], "name": "é\n"}, b"\n\x00bytes\n"


def test_a_thing_is_made_once_for_the_same_bytes(folder: Path) -> None:
    make = Maker()
    first = remembered("kind", b"data", "besides", NAMES, make)
    assert remembered("kind", b"data", "besides", NAMES, make) == first == Maker()()
    assert make.count == 1
    for others in (("other", b"data", ""), ("kind", b"date", ""), ("kind", b"data", "more")):
        remembered(*others, NAMES, make)
    assert make.count == 4
    assert len(list(folder.iterdir())) == 4


def test_nothing_is_kept_otherwise(tmp_path: Path) -> None:
    make = Maker()
    with remembering(tmp_path / "models"):
        pass
    for _ in range(2):
        remembered("kind", b"data", "", NAMES, make)
    assert make.count == 2
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("damage", ["empty", "cut", "changed", "a folder"])
def test_what_is_damaged_is_made_anew(folder: Path, damage: str) -> None:
    make = Maker()
    remembered("kind", b"data", "", NAMES, make)
    (file,) = folder.iterdir()
    content = file.read_bytes()
    if damage == "a folder":
        file.unlink()
        file.mkdir()
    else:
        changed = content[:-3] + b"x" + content[-2:]
        file.write_bytes({"empty": b"", "cut": content[:-1], "changed": changed}[damage])
    assert remembered("kind", b"data", "", NAMES, make) == Maker()()
    assert make.count == 2
    if damage != "a folder":
        assert file.read_bytes() == content


def test_a_folder_that_cannot_be_made_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    make = Maker()
    with remembering(tmp_path / "file" / "models"):
        assert remembered("kind", b"data", "", NAMES, make) == remembered(
            "kind", b"data", "", NAMES, make
        )
    assert make.count == 2


def test_other_code_makes_it_anew(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    make = Maker()
    for text in ("a = 1", "a = 2", "a = 1"):
        (code / "file.py").write_text(text)
        with remembering(tmp_path / "models", code=(code,)):
            remembered("kind", b"data", "", NAMES, make)
    assert make.count == 2


def test_what_cannot_be_made_is_not_kept(folder: Path) -> None:
    def fail() -> tuple[Facts, bytes]:
        raise ModelError("damaged")

    with pytest.raises(ModelError, match="damaged"):
        remembered("kind", b"data", "", NAMES, fail)
    assert not folder.exists()


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    make = Maker()
    with remembering(tmp_path / "models", most_files=3):
        for number in range(5):
            remembered("kind", str(number).encode(), "", NAMES, Maker())
        assert len(list((tmp_path / "models").iterdir())) == 3
        remembered("kind", b"4", "", NAMES, make)
    assert make.count == 0


def test_what_others_put_there_stays(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "of a user.onnx").touch()
    (folder / "old").mkdir()
    with remembering(folder, most_files=1):
        for data in (b"1", b"2", b"3"):
            remembered("kind", data, "", NAMES, Maker())
    assert len(list(folder.iterdir())) == 3
    assert (folder / "of a user.onnx").exists()


@pytest.mark.parametrize("rest", [b"{}\n", b"[1]\n", b"no JSON\n", b"\xff\n"])
def test_content_of_another_form_is_made_anew(folder: Path, rest: bytes) -> None:
    make = Maker()
    remembered("kind", b"data", "", NAMES, make)
    (file,) = folder.iterdir()
    file.write_bytes(hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest)
    assert remembered("kind", b"data", "", NAMES, make) == Maker()()
    assert make.count == 2


def test_a_name_that_is_not_utf_8(folder: Path, nearest_model_path: Path) -> None:
    path = nearest_model_path.parent / os.fsdecode(b"m\xff.onnx")
    try:
        shutil.copy(nearest_model_path, path)
    except OSError:
        pytest.skip("file names are UTF-8 here")
    assert read_spec(path).scale == read_spec(path).scale == 4


@pytest.mark.parametrize("name", ["realtime-nano-x2-int8", "realtime-nano-x2", "wave"])
def test_a_model_is_the_same(folder: Path, name: str) -> None:
    path = resolve(name)
    plain, _ = load(path)
    frames = np.random.default_rng(0).integers(0, 256, (1, 24, 32, 3), dtype=np.uint8)
    shape = (1, 24 * plain.scale, 32 * plain.scale, 3)
    results = []
    for _ in range(2):
        spec = read_spec(path)
        assert spec == plain
        assert spec.data == plain.data
        session = OnnxCpuSession(spec, 1)
        out = np.zeros(shape, np.uint8)
        session.run(frames, out)
        results.append((session.describe(), session.activation_bytes, session.exact_regions, out))
        session.close()
    assert len(list(folder.iterdir())) == 2
    assert results[0][:3] == results[1][:3]
    assert np.array_equal(results[0][3], results[1][3])
    assert results[0][3].any()


def test_a_file_that_changes_is_another_model(folder: Path, nearest_model_path: Path) -> None:
    assert read_spec(nearest_model_path).scale == 4
    file = folder.parent / "tiny-nearest.onnx"
    file.write_bytes(nearest_model_path.read_bytes()[:-1])
    with pytest.raises(ModelError, match="damaged"):
        read_spec(file)


@pytest.mark.skipif(adds_in_16_bits(), reason="this processor adds products in 16 bits")
def test_what_a_session_makes_later_is_kept_where_it_was_opened(tmp_path: Path) -> None:
    spec = read_spec(resolve("realtime-nano-x4-int8"))
    with remembering(tmp_path / "models"):
        session = OnnxCpuSession(spec, 1)
    session.keep_layers(16, 16)
    session.close()
    assert list((tmp_path / "models").glob("*.chain"))
