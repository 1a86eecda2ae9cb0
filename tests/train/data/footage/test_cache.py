"""Coded sequences: made alike by any process, kept on disk once, cut into pairs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from framelift.common.errors import InputError, OutputError
from framelift.train.data.footage import cache as cache_module
from framelift.train.data.footage.cache import FootageCache, open_cache
from framelift.train.data.footage.clips import Clip, clip_window, find_clips, read_clip
from framelift.train.data.footage.config import CodecConfig, EncoderConfig
from framelift.train.data.footage.pairs import CropPlan, FootagePairs
from framelift.train.data.footage.sequences import SequenceMaker, as_grey, reduced
from framelift.train.data.photos import PhotoSet, find_photos

SCALE = 2
FAST = (EncoderConfig("x264", 2.0, (20, 30)), EncoderConfig("mpeg4", 1.0, (2, 8)))
CONFIG = CodecConfig(sequences=4, frames=6, kept=3, size=(64, 48), encoders=FAST)


@pytest.fixture(scope="module")
def found(photos: Path) -> PhotoSet:
    return find_photos([photos], 32)


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    with av.open(folder / "clip.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for k in range(12):
            frame = np.full((48, 64, 3), 20 * k, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return folder


def opened(
    config: CodecConfig, found: PhotoSet, folder: Path, clips: Sequence[Clip] = (), workers: int = 1
) -> FootageCache:
    config = msgspec.structs.replace(config, cache=str(folder))
    return open_cache(config, SCALE, 5, found.photos, found.order, clips, workers, quiet=True)


@pytest.fixture(scope="module")
def made(found: PhotoSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the frames of CONFIG."""
    folder = tmp_path_factory.mktemp("cache")
    opened(CONFIG, found, folder, workers=2)
    return folder


@pytest.fixture(scope="module")
def cache(found: PhotoSet, made: Path) -> FootageCache:
    return opened(CONFIG, found, made)


def test_several_processes_make_what_one_makes(cache: FootageCache, found: PhotoSet) -> None:
    maker = SequenceMaker(CONFIG, SCALE, 5, found.photos, ())
    for number in range(CONFIG.sequences):
        pairs = maker(number)
        rows = slice(number * CONFIG.kept, (number + 1) * CONFIG.kept)
        for name in ("coded", "clean", "hr"):
            assert np.array_equal(getattr(cache, name)[rows], getattr(pairs, name))
        assert cache.labels[rows] == (pairs.label,) * CONFIG.kept


def test_a_second_run_makes_nothing(
    cache: FootageCache,
    found: PhotoSet,
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(cache_module, "SequenceMaker", None)
    second = opened(CONFIG, found, tmp_path)
    assert second.fingerprint == cache.fingerprint
    assert np.array_equal(cache.coded, second.coded)


def test_another_setting_is_another_cache(
    cache: FootageCache, found: PhotoSet, made: Path, tmp_path: Path
) -> None:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    other = opened(msgspec.structs.replace(CONFIG, noise=1.0), found, tmp_path)
    assert cache.fingerprint != other.fingerprint
    assert len(list(tmp_path.glob("*/index.json"))) == 2


def test_the_input_is_the_reduced_original_as_a_codec_leaves_it(cache: FootageCache) -> None:
    assert np.array_equal(cache.clean, reduced(np.array(cache.hr), SCALE))
    errors = np.abs(cache.clean.astype(int) - cache.coded).mean((1, 2, 3))
    shifted = np.abs(np.roll(cache.clean, 2, axis=2).astype(int) - cache.coded).mean((1, 2, 3))
    assert (errors > 0).all()
    assert (errors < shifted).all()


def test_grey_sequences_are_grey_on_both_sides(found: PhotoSet) -> None:
    config = msgspec.structs.replace(CONFIG, grey=1.0, noise=0.0)
    pairs = SequenceMaker(config, SCALE, 1, found.photos, ())(0)
    for frames in (pairs.coded, pairs.clean, pairs.hr):
        assert np.array_equal(frames[..., 0], frames[..., 1])
        assert np.array_equal(frames[..., 0], frames[..., 2])
    assert np.array_equal(as_grey(pairs.hr), pairs.hr)


def test_nothing_is_left_when_making_fails(
    found: PhotoSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "open_memmap", full)
    with pytest.raises(OutputError, match=r"No space left on device; set data\.codec\.cache"):
        opened(CONFIG, found, tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] in ([], [".lock"])


def test_frames_that_cannot_fit_are_refused_before_the_work(
    found: PhotoSet, tmp_path: Path
) -> None:
    huge = msgspec.structs.replace(CONFIG, sequences=10**9)
    with pytest.raises(OutputError, match="GiB do not fit on the disk"):
        opened(huge, found, tmp_path)


def test_clips_are_found_reduced_and_cut(clip_folder: Path) -> None:
    (clip,) = find_clips([clip_folder, clip_folder])
    assert (clip.width, clip.height, clip.frames) == (64, 48, 12)
    frames = read_clip(clip, 10, 4)
    assert frames.shape == (4, 24, 32, 3)
    assert np.abs(frames.mean((1, 2, 3)) - [200, 220, 220, 220]).max() < 4  # the last one repeats
    window = clip_window(np.random.default_rng(0), clip, (64, 48), 5)
    assert window.shape == (5, 48, 64, 3)  # larger than the reduced clip: continued by reflection


def test_clips_among_the_files_are_used(clip_folder: Path, found: PhotoSet, tmp_path: Path) -> None:
    config = msgspec.structs.replace(CONFIG, clips=1.0, sequences=1)
    made = opened(config, found, tmp_path, find_clips([clip_folder]))
    assert np.ptp(made.hr.astype(int), axis=(1, 2)).max() <= 8  # the clip's frames are flat


def test_a_clip_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(InputError, match=r"training clip .*text\.mp4: cannot be decoded"):
        find_clips([tmp_path])


def pairs_of(
    cache: FootageCache, part: range, detail: float = 0.0, clean: float = 0.0
) -> FootagePairs:
    return FootagePairs(cache, CropPlan(16, SCALE, 6, 9, detail, clean), part, torch.device("cpu"))


@pytest.mark.parametrize("detail", [0.0, 1.0])
def test_crops_of_input_and_original_show_the_same_place(
    cache: FootageCache, detail: float
) -> None:
    pairs = pairs_of(cache, range(6), detail, clean=1.0)
    lr, hr = pairs.load(pairs.draw(3), 3)
    assert lr.shape == (6, 3, 8, 8)
    assert hr.shape == (6, 3, 16, 16)
    again = torch.nn.functional.avg_pool2d(hr, SCALE)
    inner = (slice(None), slice(None), slice(1, -1), slice(1, -1))
    assert (again - lr)[inner].abs().mean() < 0.03  # the means of 2×2 are nearly the bicubic ones
    turned = again.flip(3)
    assert (turned - lr)[inner].abs().mean() > 2 * (again - lr)[inner].abs().mean()


def test_a_step_is_the_same_whenever_drawn_and_processes_share_it(cache: FootageCache) -> None:
    whole, first, second = (pairs_of(cache, part) for part in (range(6), range(3), range(3, 6)))

    def both(step: int) -> NDArray[np.uint8]:
        return np.concatenate([first.draw(step)[1], second.draw(step)[1]])

    assert np.array_equal(whole.draw(4)[1], both(4))
    assert not np.array_equal(whole.draw(4)[1], whole.draw(5)[1])
    assert len(whole.names(4)) == 6
    assert set(whole.names(4)) <= set(cache.labels)


def test_a_share_of_the_crops_is_clean(cache: FootageCache) -> None:
    pairs = pairs_of(cache, range(6), clean=0.25)
    names = [name for step in range(100) for name in pairs.names(step)]
    assert 0.18 < names.count("clean") / len(names) < 0.32
    step = next(step for step in range(100) if "clean" in pairs.names(step))
    coded = pairs_of(cache, range(6), clean=0.0)
    changed = [
        not np.array_equal(one, other)
        for one, other in zip(pairs.draw(step)[0], coded.draw(step)[0], strict=True)
    ]
    assert changed == [name == "clean" for name in pairs.names(step)]
    assert np.array_equal(pairs.draw(step)[1], coded.draw(step)[1])
