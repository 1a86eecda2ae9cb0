"""Photographs moved before a camera."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from framelift.train.data.footage import scenes
from framelift.train.data.footage.scenes import Motion, scene
from framelift.train.data.photos import Photo

SIZE, COUNT = (96, 64), 10


def picture(seed: int, height: int = 200, width: int = 260) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    soft = cv2.GaussianBlur(noise.astype(np.float32), (0, 0), 3)
    return np.clip((soft - 128) * 6 + 128, 0, 255).astype(np.uint8)


PHOTOS = [Photo(Path(f"{k}.png"), 200, 260) for k in range(3)]
EVEN = np.full(3, 1 / 3)


def read(photo: Photo) -> NDArray[np.uint8]:
    return picture(int(photo.path.stem))


def made(seed: int) -> NDArray[np.uint8]:
    return scene(np.random.default_rng(seed), PHOTOS, EVEN, read, SIZE, COUNT)


def test_a_scene_is_a_function_of_its_generator() -> None:
    assert made(3).shape == (COUNT, SIZE[1], SIZE[0], 3)
    assert np.array_equal(made(3), made(3))
    assert not np.array_equal(made(3), made(4))


def test_some_scenes_stand_still_most_move_and_some_have_a_cut() -> None:
    still = cuts = 0
    for seed in range(60):
        frames = made(seed).astype(int)
        changes = np.abs(np.diff(frames, axis=0)).mean((1, 2, 3))
        still += float(changes.max()) == 0
        cuts += float(changes.max()) > 5 * float(np.median(changes)) + 10
    assert 3 <= still <= 30
    assert 1 <= cuts <= 25


def test_the_camera_moves_by_fractions_of_a_pixel() -> None:
    image = picture(1)
    steps = np.arange(4) * 0.5
    motion = Motion(100 + steps, np.full(4, 90.0), np.zeros(4), np.ones(4))
    frames = [scenes.seen_at(image, motion, index, SIZE).astype(float) for index in range(4)]
    # After two half steps the frame is the first one, a pixel further on.
    assert np.abs(frames[2][:, :-1] - frames[0][:, 1:]).mean() < 0.5
    between = (frames[0] + frames[2]) / 2
    assert np.abs(frames[1] - between).mean() < np.abs(frames[1] - frames[0]).mean()


def test_zoom_enlarges_around_the_centre() -> None:
    matrix = Motion(np.array([50.0]), np.array([40.0]), np.zeros(1), np.array([2.0])).matrix(
        0, 21, 11
    )
    assert np.allclose(matrix @ [10, 5, 1], [50, 40])  # the middle of the frame
    assert np.allclose(matrix @ [12, 5, 1], [51, 40])  # two pixels further: one of the picture


def test_a_picture_smaller_than_the_frame_is_enlarged_to_fill_it() -> None:
    small = [Photo(Path("7.png"), 40, 50)]

    def read_small(photo: Photo) -> NDArray[np.uint8]:
        return picture(7, 40, 50)

    for seed in range(5):
        frames = scene(np.random.default_rng(seed), small, np.ones(1), read_small, SIZE, 2)
        assert frames.shape == (2, SIZE[1], SIZE[0], 3)
