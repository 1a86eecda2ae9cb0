"""What is taken for a cut between two scenes, and what is not."""

from __future__ import annotations

import itertools
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from framelift.runtime.temporal.cuts import glance, is_cut

Frames = NDArray[np.uint8]
REFERENCE = Path(__file__).parents[3] / "export" / "parity" / "reference.png"


def photo() -> Frames:
    image = cv2.imread(str(REFERENCE))
    assert image is not None
    return image.astype(np.uint8)


def cut(before: Frames, after: Frames) -> bool:
    return is_cut(glance(before), glance(after))


def flat(level: int) -> Frames:
    return np.full((90, 160, 3), level, np.uint8)


def test_motion_light_and_noise_are_no_cut() -> None:
    image = photo()
    rng = np.random.default_rng(0)
    assert not cut(image[:-6, :-8], image[6:, 8:])
    assert not cut(image, np.clip(image * 0.6, 0, 255).astype(np.uint8))
    assert not cut(image, np.clip(image + 40.0, 0, 255).astype(np.uint8))
    assert not cut(image, np.clip(image + rng.normal(0, 20, image.shape), 0, 255).astype(np.uint8))
    assert not cut(flat(16), flat(20))
    noisy = [np.clip(flat(16) + rng.normal(0, 2, (90, 160, 3)), 0, 255) for _ in range(2)]
    assert not cut(noisy[0].astype(np.uint8), noisy[1].astype(np.uint8))


def test_another_picture_is_one() -> None:
    image = photo()
    assert cut(image, image[::-1])
    assert cut(image, image[:, ::-1])
    assert cut(image, np.random.default_rng(0).integers(0, 256, image.shape, np.uint8))
    assert cut(flat(16), image)
    assert cut(image, flat(128))
    assert cut(flat(10), flat(240))


def test_of_real_clips_only_the_real_cut_is_one(shared: Path) -> None:
    """The clip of NASA goes over to another picture at its frame 202; the others are one shot."""
    found = {}
    for path in sorted((shared / "data" / "video").glob("*.mp4")):
        with av.open(str(path)) as container:
            frames = (f.to_ndarray(format="bgr24") for f in container.decode(video=0))
            seen = [glance(frame.astype(np.uint8)) for frame in frames]
        pairs = itertools.pairwise(seen)
        found[path.name] = [at for at, pair in enumerate(pairs, 1) if is_cut(*pair)]
    assert found.pop("nasa_13013.mp4") == [202]
    assert found
    assert not any(found.values())


def test_different_photographs_are_cuts(shared: Path) -> None:
    folder = shared / "data" / "eval" / "hr" / "BSD100"
    seen = []
    for path in sorted(folder.iterdir()):
        image = cv2.imread(str(path))
        assert image is not None
        seen.append(glance(image.astype(np.uint8)))
    pairs = list(itertools.pairwise(seen))
    assert sum(is_cut(*pair) for pair in pairs) >= 0.98 * len(pairs)


@pytest.mark.parametrize("size", [(1, 1), (3, 2000), (17, 31)])
def test_frames_of_any_size(size: tuple[int, int]) -> None:
    frame = np.full((*size, 3), 90, np.uint8)
    assert not cut(frame, frame)
