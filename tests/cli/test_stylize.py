"""`framelift stylize`: the path of `framelift upscale` with models that keep the size."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import av
import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from framelift.cli.upscale.command import upscale
from framelift.cli.upscale.stylize import stylize
from framelift.common.errors import ConfigError
from framelift.runtime.models import zoo


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(stylize, [str(argument) for argument in arguments])


@pytest.fixture
def style(tmp_path: Path, tiny_models: ModuleType) -> Path:
    """A model that changes nothing and says that it is a style."""
    model = tiny_models.set_metadata(
        tiny_models.nearest_model(1, "plain"), task="style", halo="1000000"
    )
    path: Path = tiny_models.save(model, tmp_path / "plain.onnx")
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (10, 14, 3), np.uint8))
    return path


def test_an_image_keeps_its_size(tmp_path: Path, style: Path, photo: Path) -> None:
    result = run(photo, tmp_path / "out.png", "--model", style)
    assert result.exit_code == 0
    assert result.stdout == f"{tmp_path / 'out.png'}: 14×10\n"
    assert result.stderr.startswith("plain: ")
    written, given = (cv2.imread(str(path)) for path in (tmp_path / "out.png", photo))
    assert written is not None
    assert given is not None
    np.testing.assert_array_equal(written, given)


def test_a_video_beside_its_input(tmp_path: Path, style: Path) -> None:
    clip = tmp_path / "clip.mp4"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", 25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((24, 32, 3), 90, np.uint8), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    result = run(clip, tmp_path / "out.mp4", "--model", style, "--compare", "--json")
    assert result.exit_code == 0, result.exception
    (done,) = json.loads(result.stdout)["done"]
    assert (done["frames"], done["width"], done["height"]) == (5, 64, 24)


def test_a_model_for_the_other_command_is_refused(
    tmp_path: Path, style: Path, photo: Path, nearest_model_path: Path
) -> None:
    out = tmp_path / "out.png"
    wrong = run(photo, out, "--model", nearest_model_path).exception
    assert isinstance(wrong, ConfigError)
    assert str(wrong) == "tiny-nearest is a super-resolution model: use `framelift upscale`"
    other = CliRunner().invoke(upscale, [str(photo), str(out), "--model", str(style)]).exception
    assert isinstance(other, ConfigError)
    assert str(other) == "plain is a style model: use `framelift stylize`"
    assert not out.exists()


def test_tiles_are_refused(tmp_path: Path, style: Path, photo: Path) -> None:
    error = run(photo, tmp_path / "out.png", "--model", style, "--tile", "64").exception
    assert isinstance(error, ConfigError)
    assert "looks at the whole frame" in str(error)


def test_the_default_is_the_shipped_style(tmp_path: Path, photo: Path) -> None:
    assert zoo.DEFAULT_STYLE in zoo.shipped_models()
    result = run(photo, tmp_path / "out.png")
    assert result.exit_code == 0
    assert result.stderr.startswith(f"{zoo.DEFAULT_STYLE}: ")


def test_help_is_its_own() -> None:
    text = CliRunner().invoke(stylize, ["--help"]).output
    assert "Paint videos" in text
    assert "--scale" not in text
    assert "×4" not in text


def test_larger_strokes_are_for_exported_styles(
    tmp_path: Path, style: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMELIFT_CACHE", str(tmp_path / "cache"))
    result = run(photo, tmp_path / "out.png", "--model", style, "--style-size", "2")
    assert isinstance(result.exception, ConfigError)
    assert "the graph of this model does not begin and end as those" in str(result.exception)
    assert not (tmp_path / "out.png").exists()
