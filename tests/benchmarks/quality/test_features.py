"""The distance of VGG-16 features beside PSNR and SSIM."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from framelift.benchmarks.quality.scores import measure_quality
from framelift.benchmarks.report.tables import to_text
from framelift.benchmarks.shared.settings import Placement
from framelift.common.errors import CheckpointError, MissingDependencyError
from tests.support.reports import as_json

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the layers up to relu2_2, in the Caffe convention."""
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    inputs = 3
    for name, width in (("conv1_1", 64), ("conv1_2", 64), ("conv2_1", 128), ("conv2_2", 128)):
        gain = np.sqrt(2 / (9 * inputs))
        arrays[f"{name}.weight"] = rng.normal(0, gain, (width, inputs, 3, 3)).astype(np.float32)
        arrays[f"{name}.bias"] = np.zeros(width, np.float32)
        inputs = width
    path = tmp_path_factory.mktemp("vgg") / "vgg.npz"
    np.savez(path, **arrays)
    return path


def test_equal_images_have_no_distance(vgg: Path) -> None:
    from framelift.train.validation.feature_distance import FeatureDistance

    distance = FeatureDistance(str(vgg))
    image = np.random.default_rng(0).integers(0, 256, (40, 44, 3), np.uint8)
    other = image.copy()
    other[0] ^= 255  # within the border
    assert distance(image, other, border=4) == 0
    other[20] ^= 255
    assert distance(image, other, border=4) > 0


def test_quality_gives_the_distance_of_model_and_bicubic(
    vgg: Path, photo_folder: Path, nearest_model_path: Path
) -> None:
    report = measure_quality(nearest_model_path, photo_folder, Placement(threads=1), vgg=str(vgg))
    document = as_json(report)
    mean = document["results"]["mean"]
    assert mean["model"]["feature_distance"] > mean["bicubic"]["feature_distance"] > 0
    images = document["results"]["images"]
    values = [image["model"]["feature_distance"] for image in images]
    assert mean["model"]["feature_distance"] == pytest.approx(sum(values) / 2, rel=1e-6)
    assert "bicubic relu2_2" in to_text(report)


def test_weights_that_cannot_be_read_are_one_line(
    photo_folder: Path, nearest_model_path: Path, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        measure_quality(nearest_model_path, photo_folder, vgg=str(tmp_path / "none.npz"))


def test_without_torch_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, photo_folder: Path, nearest_model_path: Path
) -> None:
    monkeypatch.setitem(
        __import__("sys").modules, "framelift.train.validation.feature_distance", None
    )
    with pytest.raises(MissingDependencyError, match=r"pip install 'framelift\[train\]'"):
        measure_quality(nearest_model_path, photo_folder, vgg="torchvision")
