"""Folders of photographs: found, checked, fingerprinted, read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...common.errors import InputError
from ...common.images import IMAGE_SUFFIXES, NO_PHOTOGRAPH_SUFFIXES, Picture, is_image, read_image
from ...common.libraries.native_output import native_output_caught

Rgb = NDArray[np.uint8]


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


def usable_picture(path: Path) -> Picture | str:
    """A file that may be a photograph, or why it is of no use as one; libraries stay silent."""
    if not is_image(path):
        return f"{path.suffix} images cannot be read; convert it to PNG"
    if path.exists() and not path.is_file():  # a named pipe would keep us waiting
        return "not a file"
    with native_output_caught() as caught:
        try:
            picture = read_image(path, say=_ignore)
        except InputError:
            return "not a readable image"
    caught.lines += picture.caught.lines
    if picture.alpha is not None:
        return "has transparent pixels, whose hidden colours would count; flatten it first"
    if caught.tells_of_damage:
        return "is damaged inside"
    return replace(picture, caught=caught)


def usable_rgb(path: Path) -> Rgb | str:
    """A photograph as uint8 H×W×3 RGB, or why the file is of no use as one."""
    picture = usable_picture(path)
    return picture if isinstance(picture, str) else _rgb(picture)


def image_files(paths: Iterable[Path]) -> list[Path]:
    """Those that are images by their names, read or not, in order."""
    known = (*IMAGE_SUFFIXES, *NO_PHOTOGRAPH_SUFFIXES)
    return sorted(path for path in paths if path.suffix.lower() in known)


def read_photo(photo: Photo) -> Rgb:
    """A photograph found before. Raises InputError if it is no longer what it was."""
    problem = f"photograph {photo.path}: changed or removed during training"
    try:
        with native_output_caught() if photo.is_chatty else nullcontext():
            # Threads read at the same time where nothing need be caught.
            picture = read_image(photo.path, quiet=photo.is_chatty, say=_ignore)
    except InputError as error:
        raise InputError(problem) from error
    if picture.bgr.shape[:2] != (photo.height, photo.width):
        raise InputError(problem)
    return _rgb(picture)


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
            picture = usable_picture(path)
            if isinstance(picture, str):
                skipped.append(f"{path}: {picture}")
                continue
            height, width = picture.bgr.shape[:2]
            if min(height, width) < smallest:
                skipped.append(f"{path}: {width}×{height}, under {smallest} px")
            else:
                photos.append(Photo(path, height, width, bool(picture.caught.lines)))
                digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
    if not photos:
        names = ", ".join(map(str, folders))
        why = f"{len(skipped)} left out, the first: {skipped[0]}" if skipped else "no image files"
        raise InputError(f"no usable photograph of at least {smallest} px a side in {names}: {why}")
    return PhotoSet(tuple(photos), tuple(skipped), _hash(sorted(digests)), _hash(digests))


def _rgb(picture: Picture) -> Rgb:
    return np.ascontiguousarray(picture.bgr[:, :, ::-1])


def _ignore(line: str) -> None:
    """What becomes of 16 bits and printing colours is no news to a training."""


def _hash(digests: Sequence[str]) -> str:
    return hashlib.sha256("".join(digests).encode()).hexdigest()
