"""What `framelift upscale IN OUT` has to do: one file, or every image and video of a folder."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..common.errors import InputError, OutputError
from ..common.files import check_target
from ..common.images import (
    FOREIGN_IMAGE_SUFFIXES,
    IMAGE_SUFFIXES,
    check_image_readable,
    check_image_suffix,
    is_image,
)
from ..common.notes import Say, say_on_stderr
from .video.writing.encoders import EncoderOptions

VIDEO_SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg",
    ".flv", ".wmv", ".3gp", ".ogv", ".gif",
)  # fmt: skip
"""What is taken for a video in a folder; a single file may have any suffix."""


@dataclass(frozen=True)
class Job:
    """One file to upscale."""

    source: Path
    target: Path
    is_image: bool


def plan_jobs(
    source: Path,
    target: Path,
    options: EncoderOptions,
    *,
    overwrite: bool = False,
    say: Say = say_on_stderr,
) -> list[Job]:
    """List what is to be done, after checking all that can be checked before the model is loaded.

    For a folder these are the images and videos directly in it, in alphabetical order, into the
    folder `target`, which need not exist. Names are kept; a video whose container cannot hold the
    chosen codec gets that of the codec's first suffix. Images of a format that is not read are left
    out with one line.

    Raises:
        InputError: `source` does not exist, is an image of a format that is not read, or a
            folder without images and videos.
        OutputError: `target` cannot be written, or is a file for a folder.
    """
    if source.is_dir():
        return _folder_jobs(source, target, options, say)
    if not source.exists():
        raise InputError(f"{source}: no such file or folder")
    image = is_image(source)
    check_target(target, overwrite=overwrite, source=source)
    if image:
        check_image_suffix(target)
    else:
        # FFmpeg makes a video of one frame of some of them, if that is what is asked for.
        if target.suffix.lower() not in options.encoder.suffixes:
            check_image_readable(source)
        options.check_suffix(target)
    return [Job(source, target, image)]


def _folder_jobs(source: Path, target: Path, options: EncoderOptions, say: Say) -> list[Job]:
    if target.exists() and not target.is_dir():
        raise OutputError(f"{target}: is a file, but {source} is a folder; name a folder")
    if target.exists() and target.samefile(source):
        raise OutputError(f"{target}: is the input itself; name another folder")
    visible = [
        path
        for path in sorted(source.iterdir())
        if path.is_file() and not path.name.startswith(".")
    ]
    wanted = (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)
    files = [path for path in visible if path.suffix.lower() in wanted]
    foreign = [path.name for path in visible if path.suffix.lower() in FOREIGN_IMAGE_SUFFIXES]
    if foreign:
        first = f"{foreign[0]} and {len(foreign) - 1} more" if foreign[1:] else foreign[0]
        say(f"{source}: {first} left out: images of this format are not read; convert to PNG first")
    if not files:
        raise InputError(f"{source}: no image or video is in this folder (subfolders do not count)")
    names = {path: output_name(path, options) for path in files}
    taken = Counter(names.values())
    jobs = []
    for path, name in names.items():
        if taken[name] > 1 and name != path.name:  # clip.webm beside clip.mp4
            name = path.name + options.encoder.suffixes[0]
        jobs.append(Job(path, target / name, is_image(path)))
    return jobs


def output_name(path: Path, options: EncoderOptions) -> str:
    """The name of what becomes of `path`: its own, or that of the codec's first suffix."""
    suffixes = (*IMAGE_SUFFIXES, *options.encoder.suffixes)
    if path.suffix.lower() in suffixes:
        return path.name
    return path.stem + options.encoder.suffixes[0]
