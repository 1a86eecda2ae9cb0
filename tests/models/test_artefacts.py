"""A shift of colour and a checkerboard are found, and nothing where there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from framelift.imaging.quality import ImageU8, Upscale, bicubic, shrink
from framelift.runtime import Upscaler
from framelift.train.losses.patterns import ExcessLoss
from models.artefacts import WORDING, Artefacts, find_artefacts, periodic_energy
from models.grid import phase_spread
from models.plan import Limits
from models.specks import excess_detail

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def photo() -> ImageU8:
    image = cv2.imread(str(ROOT / "examples" / "raccoon.jpg"))
    assert image is not None
    return image[128:512, 128:512].astype(np.uint8)


@pytest.fixture(scope="module")
def shipped(photo: ImageU8) -> Upscale:
    """The shipped model, run once."""
    with Upscaler.load("realtime-small-x4", "onnx-cpu", threads=1) as upscaler:
        output = upscaler(shrink(photo, 4)).copy()
    return lambda image: output


def changed(upscale: Upscale, change: Callable[[ImageU8], np.ndarray]) -> Upscale:
    """An upscaling whose output is changed by what `change` makes of it."""

    def changing(image: ImageU8) -> ImageU8:
        output = upscale(image)
        values: ImageU8 = np.clip(np.rint(output + change(output)), 0, 255).astype(np.uint8)
        return values

    return changing


def lattice(image: ImageU8) -> np.ndarray:
    rows, columns = np.indices(image.shape[:2])
    pattern: np.ndarray = (np.cos(np.pi * rows / 2) * np.cos(np.pi * columns / 2))[..., None]
    return pattern


def test_the_shipped_model_has_neither(photo: ImageU8, shipped: Upscale) -> None:
    found = find_artefacts([photo], shipped, 4)
    assert found.colour_shift < 0.5
    assert found.checkerboard < 0.8


def test_checkerboards(photo: ImageU8, shipped: Upscale) -> None:
    def uniform(codes: float) -> float:
        output = changed(shipped, lambda image: codes * lattice(image))
        return find_artefacts([photo], output, 4).checkerboard

    faint, strong = uniform(2), uniform(6)
    assert find_artefacts([photo], shipped, 4).checkerboard < faint < strong
    assert strong > 1

    def at_edges(image: ImageU8) -> np.ndarray:  # its sign changes with the picture's
        slope: np.ndarray = np.gradient(image[..., 1].astype(float))[0]
        pattern: np.ndarray = 0.4 * slope[..., None] * lattice(image)
        return pattern

    found = find_artefacts([photo], changed(shipped, at_edges), 4).checkerboard
    assert found > find_artefacts([photo], shipped, 4).checkerboard


def test_meshes(photo: ImageU8, shipped: Upscale) -> None:
    """Also one of changing sign and of another pitch than the input's pixels."""

    def mesh(image: ImageU8) -> np.ndarray:
        rows, columns = np.indices(image.shape[:2])
        waves = np.cos(2.3 * rows) * np.cos(2.5 * columns) * np.sign(np.sin(rows / 9))
        values: np.ndarray = (6 * waves)[..., None]
        return values

    plain = find_artefacts([photo], shipped, 4)
    meshed = find_artefacts([photo], changed(shipped, mesh), 4)
    assert meshed.mesh > 3 * plain.mesh
    assert meshed.checkerboard < 1
    assert find_artefacts([photo], bicubic(4), 4).mesh < plain.mesh


def test_a_flat_picture_among_others_hides_no_mesh(photo: ImageU8) -> None:
    flat = np.full_like(photo, 120)
    clean, meshed = (
        find_artefacts([flat, photo, photo], changed(bicubic(4), change), 4).mesh
        for change in (lambda image: np.zeros(()), lambda image: 20 * lattice(image))
    )
    assert clean < 1
    assert meshed > 2


def test_grids_of_changing_sign(photo: ImageU8, shipped: Upscale) -> None:
    """Texture that is strong at some pixels of each block: no checkerboard, but people see it."""
    noise = np.random.default_rng(0).normal(0, 6, (*photo.shape[:2], 1))
    some = np.zeros(noise.shape)
    some[::4, ::4] = some[1::4, 1::4] = 2

    def grid(extra: np.ndarray) -> Artefacts:
        return find_artefacts([photo], changed(shipped, lambda image: extra), 4)

    plain, even, uneven = grid(0 * noise), grid(noise), grid(noise * some)
    assert plain.grid < 3
    assert even.grid < 2
    assert uneven.grid > 3 * plain.grid
    assert uneven.checkerboard < 1


def test_specks_around_letters(photo: ImageU8) -> None:
    letters = np.full_like(photo, 150)
    for line in range(20, photo.shape[0], 24):
        cv2.putText(letters, "letters", (4, line), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 240, 30), 2)
    rng = np.random.default_rng(0)
    dots = 12 * (rng.random((*photo.shape[:2], 1)) > 0.9)

    def specks(image: ImageU8, extra: np.ndarray) -> float:
        return find_artefacts([image], changed(bicubic(4), lambda _: extra), 4).specks

    assert specks(letters, dots) > 3 * specks(letters, 0 * dots)
    assert specks(photo, 0 * dots) < 0.3


def test_specks_are_what_the_loss_works_against() -> None:
    rng = np.random.default_rng(0)
    original = rng.normal(120, 4, (33, 40, 3)) + 60 * (np.arange(40) > 20)[:, None]
    output = original + rng.normal(0, 9, original.shape)
    excess = excess_detail(output, original)[0]
    tensors = [
        torch.from_numpy(image / 255).float().permute(2, 0, 1)[None] for image in (output, original)
    ]
    assert 255 * original.size * ExcessLoss()(*tensors).item() == pytest.approx(excess, rel=1e-3)


def test_an_image_without_a_whole_pixel_of_the_input() -> None:
    assert phase_spread(np.random.default_rng(0).normal(size=(6, 64)), 4) > 0
    with pytest.raises(ValueError, match="holds no pixel of an input ×4"):
        phase_spread(np.zeros((5, 64)), 4)


def test_shifted_colour(photo: ImageU8) -> None:
    redder = changed(bicubic(4), lambda image: np.array([0, 0, 3.0]))
    assert find_artefacts([photo], redder, 4).colour_shift == pytest.approx(3, abs=0.5)


@pytest.mark.parametrize("period", [2, 4])
def test_noise_has_the_periodic_energy_of_chance(period: int) -> None:
    """The means of 64 values vary by a 64th, less what their common mean takes."""
    noise = np.random.default_rng(0).normal(size=(512, 512))
    with_period, whole = periodic_energy(noise, period)
    assert with_period / whole == pytest.approx((1 - 1 / period**2) / 64, rel=0.1)


def test_too_small(photo: ImageU8) -> None:
    with pytest.raises(ValueError, match="no image of 32×32 pixels"):
        find_artefacts([photo[:24, 24:48]], bicubic(4), 4)
    with pytest.raises(ValueError, match="no image of 32×32 pixels"):
        find_artefacts([photo[:24, :24]], bicubic(2), 2)


def test_flat() -> None:
    with pytest.raises(ValueError, match="no image with detail"):
        find_artefacts([np.full((96, 96, 3), 90, np.uint8)], bicubic(4), 4)


def test_every_artefact_has_its_limit_and_its_words() -> None:
    assert list(WORDING) == list(Artefacts.__struct_fields__)
    assert set(WORDING) < set(Limits.__struct_fields__)
