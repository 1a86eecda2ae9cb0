"""Deep features see a blur and noise; the layers that a training saw are known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from framelift.imaging.quality import ImageU8, Trial
from models.flatness import deviation_ratio, flat_variances
from models.perception import PerceptionMeter, similarities, trained_layers

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def photo() -> ImageU8:
    image = cv2.imread(str(ROOT / "examples" / "raccoon.jpg"))
    assert image is not None
    return image[100:228, 100:228].astype(np.uint8)


def trial(original: ImageU8, output: ImageU8) -> Trial:
    return Trial("", 4, original, original[::4, ::4], output)


def test_nearer_images_have_smaller_distances(vgg: str, photo: ImageU8) -> None:
    meter = PerceptionMeter(vgg)
    same, slight, strong = (
        meter([trial(photo, cv2.GaussianBlur(photo, (0, 0), sigma).astype(np.uint8))])
        for sigma in (0.1, 1.0, 3.0)
    )
    assert tuple(same.distances) == ("relu2_2", "relu3_3")  # the weights end there
    for layer in same.distances:
        assert same.distances[layer] == 0 < slight.distances[layer] < strong.distances[layer]
    assert abs(same.texture) < 1e-6 < slight.texture < strong.texture < 1
    assert abs(same.structure) < 1e-6 < slight.structure < strong.structure < 1.1


def test_texture_does_not_depend_on_places_and_structure_does() -> None:
    features = torch.rand(1, 4, 8, 8)
    moved = features.flip(3)
    assert similarities(moved, features)[0] == pytest.approx(1)
    assert similarities(moved, features)[1] < 0.5
    assert similarities(features, features) == pytest.approx((1, 1))
    assert similarities(features * 0.5, features)[0] == pytest.approx(0.8, abs=1e-4)


def test_layers_that_a_checkpoint_was_trained_on() -> None:
    def term(**layers: float) -> dict[str, object]:
        return {"kind": "feature", "layers": layers, "weight": 1e-4}

    first = {"loss": [{"kind": "pixel", "weight": 1.0}, term(relu4_3=1.0)]}
    off = {**term(relu1_2=1.0), "weight": 0.0}
    second = {"loss": [term(relu2_2=1.0, relu3_3=0.0), off], "init": {"training": first}}
    assert trained_layers(second) == {"relu2_2", "relu4_3"}
    assert trained_layers({"loss": [], "init": {"name": "community.pth"}}) == set()
    assert trained_layers({"loss": [], "teacher": {"training": first}}) == {"relu4_3"}


def test_noise_in_flat_regions_is_found_and_blur_is_not() -> None:
    generator = np.random.default_rng(0)
    original = np.full((64, 128), 100.0)
    original[:, 64:] = generator.normal(100, 30, (64, 64))  # detail, which does not count
    original[:, :64] += generator.normal(0, 1, (64, 64))
    noisy = original + generator.normal(0, 1, original.shape)
    noisy[:, 64:] = 0
    assert flat_variances(original, original)[2] == 16
    assert deviation_ratio(flat_variances(original, original)) == 1
    assert deviation_ratio(flat_variances(noisy, original)) == pytest.approx(2**0.5, rel=0.05)
    smooth = np.full_like(original, 100)
    assert deviation_ratio(flat_variances(smooth, original)) < 0.4
    assert deviation_ratio(flat_variances(noisy[:, 64:], original[:, 64:])) == 1  # nothing flat
