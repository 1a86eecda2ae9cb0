"""Models beside bicubic on clips that real encoders coded."""

from __future__ import annotations

from pathlib import Path

import pytest

from framelift.benchmarks.quality.footage import FootageSettings, measure_footage
from framelift.benchmarks.report.compare import figures
from framelift.benchmarks.report.tables import title, to_text
from framelift.common.errors import ConfigError, InputError
from framelift.imaging.coding import parse_coding
from tests.support.reports import Json, single

CODINGS = (parse_coding("x264:20"), parse_coding("mpeg4:12"))
SETTINGS = FootageSettings(CODINGS, first=1, count=6, threads=1)


@pytest.fixture(scope="module")
def footage(reports: dict[str, Json]) -> Json:
    return reports["footage"]


def test_every_clip_is_scored_clean_and_coded_beside_bicubic(footage: Json) -> None:
    results = footage["results"]
    assert results["codings"] == ["clean", "x264:20", "mpeg4:12"]
    (model,) = results["models"]
    for entry in (results["bicubic"], model):
        assert [row["coding"] for row in entry["rows"]] == results["codings"]
        clean, fine, coarse = (entry["mean"][name]["psnr_db"] for name in results["codings"])
        assert clean > fine > coarse
        assert entry["coded_mean_db"] == pytest.approx((fine + coarse) / 2, abs=1e-5)
    # A model that repeats pixels is worse than bicubic.
    assert model["mean"]["clean"]["psnr_db"] < results["bicubic"]["mean"]["clean"]["psnr_db"]


def test_the_table_and_the_comparison_name_each_coding(footage: Json) -> None:
    report = single(footage)
    text = to_text(report)
    assert title(report) == "coded footage, ×4, 1 clip"
    assert "x264:20" in text
    assert "coded mean" in text
    names = [figure.name for figure in figures(report)]
    assert [name.rpartition(", ")[2] for name in names] == ["clean", "x264:20", "mpeg4:12"]


def test_models_of_two_scales_are_refused(
    nearest_model_path: Path, shipped_x2: Path, clip: Path
) -> None:
    with pytest.raises(ConfigError, match=r"different scales \(×2, ×4\): measure each scale"):
        measure_footage([nearest_model_path, shipped_x2], [clip], SETTINGS)


@pytest.fixture
def shipped_x2() -> Path:
    return Path(__file__).parents[3] / "runtime" / "models" / "realtime-nano-x2.onnx"


def test_a_clip_too_small_to_reduce_is_named(nearest_model_path: Path, small_clip: Path) -> None:
    with pytest.raises(InputError, match=r"is 32×24, too small to reduce by 4; clips need"):
        measure_footage([nearest_model_path], [small_clip], SETTINGS)


@pytest.fixture
def small_clip(tmp_path: Path) -> Path:
    import av
    import numpy as np

    path = tmp_path / "small.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((24, 32, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
