"""Frames of coded sequences on disk: made once by several processes, then mapped into memory."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av
import cv2
import filelock
import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from ....common.cache_folder import cache_folder
from ....common.errors import OutputError
from ..photos import Photo
from .clips import Clip
from .config import CodecConfig
from .sequences import Pairs, SequenceMaker

FORMAT = 3
"""Changes whenever the same settings would make other frames."""
ARRAYS = ("coded", "clean", "hr")
GIB = 1 << 30


@dataclass(frozen=True)
class FootageCache:
    """Coded frames, the same frames only reduced, and their originals, all mapped from disk.

    `coded` and `clean` are uint8 N×h×w×3 RGB, `hr` uint8 N×(s·h)×(s·w)×3 RGB. `labels` has the
    encoder and quality of each frame.
    """

    coded: NDArray[np.uint8]
    clean: NDArray[np.uint8]
    hr: NDArray[np.uint8]
    labels: tuple[str, ...]
    fingerprint: str


def open_cache(
    config: CodecConfig,
    scale: int,
    seed: int,
    photos: Sequence[Photo],
    photos_order: str,
    clips: Sequence[Clip],
    workers: int,
    *,
    quiet: bool = False,
) -> FootageCache:
    """Map the frames that these settings describe, and make them first if no run has yet.

    Raises OutputError if the frames cannot be written, for instance because the disk is full.
    """
    identity = {
        "format": FORMAT,
        # The share of clean pairs is drawn when batches are, not when frames are made.
        "config": msgspec.to_builtins(msgspec.structs.replace(config, cache="", clean=0.0)),
        "scale": scale,
        "seed": seed,
        "photographs": photos_order,
        "clips": [clip.sha256 for clip in clips],
        "libraries": {name: list(version) for name, version in av.library_versions.items()},
    }
    fingerprint = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    root = Path(config.cache).expanduser() if config.cache else default_folder()
    folder = root / fingerprint[:16]
    try:
        root.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(root / f"{fingerprint[:16]}.lock"):
            if not (folder / "index.json").exists():
                maker = partial(SequenceMaker, config, scale, seed, photos, clips)
                _make(folder, config, scale, maker, identity, workers, quiet=quiet)
    except OSError as error:
        raise OutputError(
            f"training cache {folder}: {error.strerror or error}; "
            "set data.codec.cache to a folder with more room or data.codec.sequences to fewer"
        ) from error
    index = json.loads((folder / "index.json").read_bytes())
    coded, clean, hr = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS)
    return FootageCache(
        coded,
        clean,
        hr,
        tuple(index["labels"]),
        fingerprint,
    )


def default_folder() -> Path:
    """The folder of coded frames among what Framelift keeps for this user."""
    return cache_folder() / "footage"


def frame_bytes(config: CodecConfig, scale: int) -> int:
    """Bytes that the frames of these settings take on disk."""
    pixels = config.size[0] * config.size[1]
    return config.sequences * config.kept * 3 * (pixels + 2 * pixels // scale**2)


def _make(
    folder: Path,
    config: CodecConfig,
    scale: int,
    maker: Callable[[], SequenceMaker],
    identity: dict[str, object],
    workers: int,
    *,
    quiet: bool,
) -> None:
    """Write `folder` completely or not at all."""
    needed = frame_bytes(config, scale)
    if needed > shutil.disk_usage(folder.parent).free:
        raise OSError(f"{needed / GIB:.1f} GiB do not fit on the disk")
    width, height = config.size
    count = config.sequences * config.kept
    with _new_folder(folder) as temporary:
        small, large = (count, height // scale, width // scale, 3), (count, height, width, 3)
        arrays = {
            name: np.lib.format.open_memmap(
                temporary / f"{name}.npy", "w+", np.uint8, large if name == "hr" else small
            )
            for name in ARRAYS
        }
        labels: list[str] = []
        bar = tqdm(
            _all_pairs(maker, config.sequences, workers),
            total=config.sequences,
            unit="sequence",
            disable=quiet,
            dynamic_ncols=True,
            desc=f"coding frames for training ({needed / GIB:.1f} GiB in {folder})",
        )
        for pairs in bar:
            start = len(labels)
            for name, array in arrays.items():
                array[start : start + config.kept] = getattr(pairs, name)
            labels += [pairs.label] * config.kept
        for array in arrays.values():
            array.flush()
        index = {**identity, "labels": labels}
        (temporary / "index.json").write_text(json.dumps(index), encoding="utf-8")


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield temporary
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _all_pairs(maker: Callable[[], SequenceMaker], count: int, workers: int) -> Iterator[Pairs]:
    """The pairs of all sequences in order."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start_worker, initargs=(maker,)
    ) as pool:
        try:
            yield from pool.map(_make_one, range(count), chunksize=2)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


_maker: SequenceMaker | None = None


def _start_worker(maker: Callable[[], SequenceMaker]) -> None:
    global _maker
    os.environ["SVT_LOG"] = "1"  # errors only; SVT-AV1 prints its settings otherwise
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    _maker = maker()


def _make_one(number: int) -> Pairs:
    assert _maker is not None
    return _maker(number)
