from __future__ import annotations

from pathlib import Path

import pytest

from framelift.imaging.errors import ModelError
from framelift.runtime.zoo import default_model, resolve, shipped_models


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("realtime-small-x4", "realtime-tiny-x2"):
        (tmp_path / f"{name}.onnx").touch()
    return tmp_path


def test_listing(folder: Path) -> None:
    assert list(shipped_models(folder)) == ["realtime-small-x4", "realtime-tiny-x2"]


def test_shipped_name(folder: Path) -> None:
    assert resolve("realtime-tiny-x2", folder) == folder / "realtime-tiny-x2.onnx"


@pytest.mark.parametrize("model", ["m.onnx", "here/m", Path("m.onnx")])
def test_path_need_not_exist(folder: Path, model: str | Path) -> None:
    assert resolve(model, folder) == Path(model)


def test_existing_file_without_suffix(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    Path("model").touch()
    assert resolve("model", folder) == Path("model")


def test_shipped_name_beats_a_folder_of_that_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    Path("realtime-tiny-x2").mkdir()
    assert resolve("realtime-tiny-x2", folder) == folder / "realtime-tiny-x2.onnx"


def test_unknown_name_suggests_a_near_one(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"'realtime-smal-x4'.*did you mean realtime-small-x4\?"):
        resolve("realtime-smal-x4", folder)


def test_unknown_name_lists_the_shipped_models(folder: Path) -> None:
    with pytest.raises(ModelError, match="are realtime-small-x4, realtime-tiny-x2"):
        resolve("nothing-like-it", folder)


def test_no_shipped_models(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="shipped models are none"):
        resolve("name", tmp_path)


def test_default_model() -> None:
    assert default_model() == default_model(4) == "realtime-small-x4"
    with pytest.raises(ModelError, match="no shipped model upscales ×3: there is ×4"):
        default_model(3)
