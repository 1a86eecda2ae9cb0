"""Folders of photographs: found, checked, fingerprinted, read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...common.errors import InputError
from ...common.native_output import native_output_caught
from .transparency import is_transparent

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".ppm", ".tif", ".tiff"})
OTHER_SUFFIXES = frozenset({".avif", ".exr", ".gif", ".heic", ".heif", ".jp2", ".jxl", ".psd"})
"""Images that are not read, which is said."""


@dataclass(frozen=True)
class Photo:
    """A readable photograph and its size in pixels."""

    path: Path
    height: int
    width: int
    is_chatty: bool = False  # image libraries write about it whenever it is read


@dataclass(frozen=True)
class PhotoSet:
    """The usable photographs of a training set, and what was left out and why."""

    photos: tuple[Photo, ...]
    skipped: tuple[str, ...]
    fingerprint: str
    """sha256 over the contents of the usable files, independent of names and order."""
    order: str
    """The same in the order of `photos`, from which crops are drawn by number."""


def read_rgb(path: Path) -> NDArray[np.uint8] | None:
    """A photograph as uint8 H×W×3 RGB, or None if it cannot be read.

    EXIF orientation is applied, grey becomes three equal channels, 16 bits are reduced to 8.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError:
        return None
    return None if data.size == 0 else _decoded(data)


@dataclass(frozen=True)
class Looked:
    """What a file was found to be: uint8 H×W×3 RGB, or why it is of no use as a photograph."""

    image: NDArray[np.uint8] | None
    fault: str = ""
    is_chatty: bool = False


def look_at(path: Path) -> Looked:
    """Read a file that may be a photograph; image libraries stay silent."""
    if path.suffix.lower() not in SUFFIXES:
        return Looked(None, f"{path.suffix} images cannot be read; convert it to PNG")
    if path.exists() and not path.is_file():  # a named pipe would keep us waiting
        return Looked(None, "not a file")
    with native_output_caught() as caught:
        image = read_rgb(path)
        transparent = image is not None and is_transparent(path)
    if image is None:
        return Looked(None, "not a readable image")
    if transparent:
        fault = "has transparent pixels, whose hidden colours would count; flatten it first"
        return Looked(None, fault)
    if caught.tells_of_damage:
        return Looked(None, "is damaged inside")
    return Looked(image, is_chatty=bool(caught.lines))


def usable_rgb(path: Path) -> NDArray[np.uint8] | str:
    """A photograph as uint8 H×W×3 RGB, or why the file is of no use as one."""
    looked = look_at(path)
    return looked.fault if looked.image is None else looked.image


def image_files(paths: Iterable[Path]) -> list[Path]:
    """Those that are images by their names, read or not, in order."""
    known = SUFFIXES | OTHER_SUFFIXES
    return sorted(path for path in paths if path.suffix.lower() in known)


def _decoded(data: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    logging = cv2.utils.logging
    level = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_ERROR)  # what it finds wrong; `look_at` catches it
    try:
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    finally:
        logging.setLogLevel(level)
    if bgr is None:
        return None
    return np.ascontiguousarray(bgr[:, :, ::-1]).astype(np.uint8, copy=False)


def read_photo(photo: Photo) -> NDArray[np.uint8]:
    """A photograph found before. Raises InputError if it is no longer what it was."""
    with native_output_caught() if photo.is_chatty else nullcontext():
        image = read_rgb(photo.path)
    if image is None or image.shape[:2] != (photo.height, photo.width):
        raise InputError(f"photograph {photo.path}: changed or removed during training")
    return image


def find_photos(folders: Sequence[Path], smallest: int) -> PhotoSet:
    """Scan folders recursively; photographs under `smallest` pixels a side are left out, and files
    met a second time, in a folder that is given twice or lies in another.

    Every file is decoded once, so that a broken one is found now and not in hour three. Raises
    InputError if a folder is missing or no photograph is usable.
    """
    photos, skipped, digests = [], [], []
    met: set[str] = set()
    for folder in folders:
        if not folder.is_dir():
            kind = "not a folder" if folder.exists() else "no such folder"
            raise InputError(f"training folder {folder}: {kind}")
        for path in image_files(folder.rglob("*")):
            if (file := os.path.realpath(path)) in met:  # resolve() fails on loops
                skipped.append(f"{path}: is there already")
                continue
            met.add(file)
            looked = look_at(path)
            image = looked.image
            if image is None:
                skipped.append(f"{path}: {looked.fault}")
            elif min(image.shape[:2]) < smallest:
                skipped.append(f"{path}: {image.shape[1]}×{image.shape[0]}, under {smallest} px")
            else:
                height, width = image.shape[:2]
                photos.append(Photo(path, height, width, looked.is_chatty))
                digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
    if not photos:
        names = ", ".join(map(str, folders))
        why = f"{len(skipped)} left out, the first: {skipped[0]}" if skipped else "no image files"
        raise InputError(f"no usable photograph of at least {smallest} px a side in {names}: {why}")
    return PhotoSet(tuple(photos), tuple(skipped), _hash(sorted(digests)), _hash(digests))


def _hash(digests: Sequence[str]) -> str:
    return hashlib.sha256("".join(digests).encode()).hexdigest()
