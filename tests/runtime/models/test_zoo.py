from __future__ import annotations

from pathlib import Path

import pytest

from framelift.common.errors import ModelError
from framelift.runtime.models.zoo import default_model, default_uses, resolve, shipped_models


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("realtime-nano-x2", "realtime-small-x4"):
        (tmp_path / f"{name}.onnx").touch()
    return tmp_path


def test_listing(folder: Path) -> None:
    assert list(shipped_models(folder)) == ["realtime-nano-x2", "realtime-small-x4"]


def test_shipped_name(folder: Path) -> None:
    assert resolve("realtime-nano-x2", folder) == folder / "realtime-nano-x2.onnx"


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
    Path("realtime-nano-x2").mkdir()
    assert resolve("realtime-nano-x2", folder) == folder / "realtime-nano-x2.onnx"


def test_unknown_name_suggests_a_near_one(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"did you mean realtime-small-x4 or realtime-nano-x2\?\)"):
        resolve("realtime-smal-x4", folder)


def test_a_mistyped_name_gets_three_suggestions_and_no_list() -> None:
    with pytest.raises(ModelError) as caught:
        resolve("realtime-smal-x4")
    assert str(caught.value) == (
        "'realtime-smal-x4' is not a file or a bundled model (did you mean realtime-small-x4, "
        "realtime-small-x2 or realtime-small-x4-int8?): `framelift models` lists them"
    )


def test_a_name_like_none_is_told_where_they_are_listed(folder: Path) -> None:
    with pytest.raises(
        ModelError, match=r"not a file or a bundled model: `framelift models` lists them"
    ):
        resolve("zzz", folder)


def test_no_shipped_models(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="this installation has none"):
        resolve("name", tmp_path)


def test_default_model() -> None:
    assert default_model() == default_model(4) == "realtime-small-x4-video"
    assert default_model(footage=False) == "realtime-medium-x4"
    assert default_model(2, footage=False) == "realtime-medium-x2"


SHIPPED = ("realtime-nano-x2", "realtime-small-x4", "realtime-small-x4-int8", "johnson-x8")
FOOTAGE = (*SHIPPED, "realtime-small-x4-perceptual", "realtime-medium-x4-video")


@pytest.mark.parametrize(
    ("names", "factor", "chosen"),
    [
        (SHIPPED, None, "realtime-small-x4"),
        (SHIPPED, 1.5, "realtime-nano-x2"),
        (SHIPPED, 2, "realtime-nano-x2"),
        (SHIPPED, 2.25, "realtime-small-x4"),
        (SHIPPED, 8, "realtime-small-x4"),
        (SHIPPED[1:], 2, "realtime-small-x4"),  # reduced afterwards, where there is no ×2
        (SHIPPED[:1], None, "realtime-nano-x2"),
        (SHIPPED[:1], 4, "realtime-nano-x2"),
        (FOOTAGE, None, "realtime-medium-x4-video"),
        (FOOTAGE[:-1], 4, "realtime-small-x4"),
        (FOOTAGE[4:-1], 4, "realtime-small-x4-perceptual"),
        (("realtime-medium-x2", "realtime-nano-x2"), 2, "realtime-medium-x2"),
    ],
)
def test_default_model_by_factor(
    tmp_path: Path, names: tuple[str, ...], factor: float | None, chosen: str
) -> None:
    for name in names:
        (tmp_path / f"{name}.onnx").touch()
    assert default_model(factor, tmp_path) == chosen


def test_default_model_on_a_processor_is_int8_where_that_ships(tmp_path: Path) -> None:
    for name in SHIPPED:
        (tmp_path / f"{name}.onnx").touch()
    assert default_model(4, tmp_path, on_cpu=True) == "realtime-small-x4-int8"
    assert default_model(2, tmp_path, on_cpu=True) == "realtime-nano-x2"


def test_default_model_for_images_is_not_that_for_footage(tmp_path: Path) -> None:
    for name in FOOTAGE:
        (tmp_path / f"{name}.onnx").touch()
    assert default_model(4, tmp_path, footage=False) == "realtime-small-x4"
    (tmp_path / "realtime-medium-x4.onnx").touch()
    assert default_model(4, tmp_path, footage=False) == "realtime-medium-x4"
    assert default_model(4, tmp_path) == "realtime-medium-x4-video"
    (tmp_path / "realtime-small-x4-video.onnx").touch()
    assert default_model(4, tmp_path) == "realtime-small-x4-video"


def test_no_default_model(tmp_path: Path) -> None:
    (tmp_path / "johnson-x8.onnx").touch()
    with pytest.raises(ModelError, match=r"pass an \.onnx file with --model"):
        default_model(2, tmp_path)


def test_uses_of_each_shipped_model(tmp_path: Path) -> None:
    assert default_uses(on_cpu=True, folder=tmp_path) == {}
    for name in (*FOOTAGE, "starry-night"):
        (tmp_path / f"{name}.onnx").touch()
    assert default_uses(on_cpu=False, folder=tmp_path) == {
        "starry-night": ["styles"],
        "realtime-nano-x2": ["images", "footage"],
        "realtime-small-x4": ["images"],
        "realtime-medium-x4-video": ["footage"],
    }
    assert default_uses(on_cpu=True, folder=tmp_path)["realtime-small-x4-int8"] == ["images"]
