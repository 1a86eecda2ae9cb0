"""`Job`s of `framelift upscale IN OUT`: one file, or every image and video of a folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...common.errors import InputError, OutputError
from ...common.files import check_target, is_there
from ...common.images import (
    FOREIGN_IMAGE_SUFFIXES,
    IMAGE_SUFFIXES,
    check_image_readable,
    check_image_suffix,
    is_image,
)
from ...common.images.kind import is_animated
from ...common.notes import Say, say_on_stderr
from ..video.clip.image_sequence import ImageSequence, check_images, has_number, numbered_files
from ..video.writing.encoders import EncoderOptions
from .output_names import SCALE, becomes_images, in_template, is_template, with_scale

VIDEO_SUFFIXES = (
    ".mp4",
    ".m4v",
    ".mov",
    ".mkv",
    ".webm",
    ".avi",
    ".ts",
    ".mts",
    ".m2ts",
    ".mpg",
    ".mpeg",
    ".flv",
    ".wmv",
    ".3gp",
    ".ogv",
    ".gif",
)
"""What is taken for a video in a folder; a single file may have any suffix."""
ANIMATION_SUFFIXES = (".gif", ".webp", ".apng")
"""What a video may become as one animated image."""
GIF = ".gif"
"""A video that may become an image: it stays a GIF unless a video is asked for."""


@dataclass(frozen=True)
class Job:
    """One file to upscale."""

    source: Path
    target: Path
    is_image: bool
    images: ImageSequence | None = None
    """The images that are the frames of a video; `source` is their pattern."""

    @property
    def makes_images(self) -> bool:
        """Whether each frame becomes an image; `target` is their pattern."""
        return not self.is_image and has_number(self.target.name) and is_image(self.target)

    @property
    def makes_animation(self) -> bool:
        """Whether a video becomes one animated image."""
        suffix = self.target.suffix.lower()
        return not self.is_image and not self.makes_images and suffix in ANIMATION_SUFFIXES

    def is_done(self) -> bool:
        """Whether there is something of that name."""
        return bool(numbered_files(self.target)) if self.makes_images else self.target.exists()

    def check(self, options: EncoderOptions, *, overwrite: bool) -> None:
        """Raise OutputError: the target cannot be written, or not as what its suffix names."""
        if self.makes_images:
            check_images(self.target, overwrite=overwrite, source=self.source)
            return
        if SCALE not in self.target.name:  # else it is not known yet
            check_target(self.target, overwrite=overwrite, source=self.source)
        if self.is_image and self.target.suffix.lower() != GIF:
            check_image_suffix(self.target)
        elif not self.is_image and not self.makes_animation:
            # FFmpeg makes a video of one frame of some images, if that is what is asked for.
            if self.target.suffix.lower() not in options.encoder.suffixes:
                check_image_readable(self.source)
            if is_image(self.target):
                if self.images is None and self.source.suffix.lower() not in VIDEO_SUFFIXES:
                    raise InputError(
                        f"{self.source}: its name is not that of an image; rename it to end in one "
                        f"of {', '.join(IMAGE_SUFFIXES)}, or name a video as the output"
                    )
                numbered = f"{self.target.stem}_%05d{self.target.suffix}"
                raise OutputError(
                    f"{self.target}: is the name of one image; name an image for each frame, such "
                    f"as {numbered}, an animation, {', '.join(ANIMATION_SUFFIXES)}, or a video"
                )
            options.check_suffix(self.target)


def plan_many(
    sources: Sequence[Path],
    target: Path,
    options: EncoderOptions,
    *,
    recursive: bool = False,
    overwrite: bool = False,
    say: Say = say_on_stderr,
) -> list[Job]:
    """List what is to be done for several files and folders, see `plan_jobs`.

    `target` is a folder then, which need not exist, or a template of names. A folder keeps its own
    name in it.

    Raises:
        InputError, OutputError: as of `plan_jobs`.
        OutputError: two inputs would become one file.
    """
    if len(sources) == 1:
        return plan_jobs(
            sources[0], target, options, recursive=recursive, overwrite=overwrite, say=say
        )
    if not is_template(target) and target.exists() and not target.is_dir():
        raise OutputError(f"{target}: is a file, but there are several inputs; name a folder")
    if not is_template(target) and not target.is_dir() and _is_name_of_file(target):
        raise OutputError(
            f"{target}: is the name of one file, but there are several inputs; name a folder, or a "
            "template such as '{stem}_x{scale}{suffix}'"
        )
    jobs: list[Job] = []
    for source in sources:
        if source.is_dir():
            into = target if is_template(target) else target / source.resolve().name
            jobs += _folder_jobs(source, into, options, recursive, say)
        elif not is_there(source):
            raise InputError(f"{source}: no such file or folder")
        else:
            check_image_readable(source)
            name = own_name(source, options)
            goal = target if is_template(target) else target / name
            goal = in_template(goal, source, name)
            jobs.append(Job(source, goal, becomes_image(source, goal)))
    taken = Counter(job.target for job in jobs)
    for job in jobs:
        if taken[job.target] > 1:
            raise OutputError(
                f"{job.target}: would be made of several inputs, {job.source} is one of them; "
                "use a template such as '{folder}_{stem}{suffix}'"
            )
    return jobs


def _is_name_of_file(target: Path) -> bool:
    return target.suffix.lower() in (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)


def with_scales(jobs: Sequence[Job], scale: float) -> list[Job]:
    """The jobs with the factor in those names that have a place for it."""
    return [replace(job, target=with_scale(job.target, scale)) for job in jobs]


def plan_jobs(
    source: Path,
    target: Path,
    options: EncoderOptions,
    *,
    recursive: bool = False,
    overwrite: bool = False,
    say: Say = say_on_stderr,
) -> list[Job]:
    """List what is to be done, after checking all that can be checked before the model is loaded.

    For a folder these are the images and videos directly in it, in alphabetical order, into the
    folder `target`, which need not exist; with `recursive` those of its subfolders as well, into
    subfolders of the same names. Names are kept; a video whose container cannot hold the chosen
    codec gets that of the codec's first suffix. Images of a format that is not read are left out
    with one line, and so are subfolders and what cannot be read. A file goes into a `target` that
    is a folder under its own name. `target` may be a template, see `output_names.py`.

    Raises:
        InputError: `source` does not exist, is an image of a format that is not read, or a
            folder without images and videos.
        OutputError: `target` cannot be written, or is a file for a folder.
    """
    if source.is_dir():
        return _folder_jobs(source, target, options, recursive, say)
    if not is_there(source):
        raise InputError(f"{source}: no such file or folder")
    name = own_name(source, options)
    target = in_template(target / name if target.is_dir() else target, source, name)
    job = Job(source, target, becomes_image(source, target))
    job.check(options, overwrite=overwrite)
    return [job]


def plan_frames(
    sequence: ImageSequence, target: Path, options: EncoderOptions, *, overwrite: bool
) -> Job:
    """Make a video, an animation or other images of the images of a sequence.

    Raises OutputError: `target` cannot be written.
    """
    job = Job(sequence.pattern, target, is_image=False, images=sequence)
    job.check(options, overwrite=overwrite)
    return job


def _folder_jobs(
    source: Path, target: Path, options: EncoderOptions, recursive: bool, say: Say
) -> list[Job]:
    template = target if is_template(target) else None
    folder = target if template is None else template.parent
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file, but {source} is a folder; name a folder")
    if template is None and folder.exists() and folder.samefile(source):
        raise OutputError(f"{target}: is the input itself; name another folder")
    files, foreign = _found(source, folder, recursive, say)
    if foreign:
        first = f"{foreign[0]} and {len(foreign) - 1} more" if foreign[1:] else foreign[0]
        say(f"{source}: {first} left out: images of this format are not read; convert to PNG first")
    if not files:
        where = "it or its subfolders" if recursive else "this folder (subfolders do not count)"
        raise InputError(f"{source}: no image or video is in {where}")
    names = {path: path.with_name(own_name(path, options)) for path in files}
    taken = Counter(names.values())
    jobs = []
    for path, named in names.items():
        name = named.name
        if taken[named] > 1 and name != path.name:  # clip.webm beside clip.mp4
            name = path.name + options.encoder.suffixes[0]
        place = folder / path.parent.relative_to(source)
        goal = place / (name if template is None else template.name)
        goal = in_template(goal, path, name)
        jobs.append(Job(path, goal, becomes_image(path, goal)))
    return jobs


def _found(source: Path, target: Path, recursive: bool, say: Say) -> tuple[list[Path], list[str]]:
    """The images and videos of a folder, and the names of images that are not read."""
    wanted = (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)
    files: list[Path] = []
    foreign: list[str] = []
    left_out: list[str] = []
    unreadable: list[OSError] = []
    made = target.resolve()
    for place, folders, names in os.walk(source, onerror=unreadable.append):
        visible = sorted(name for name in folders if not name.startswith("."))
        # What was made before is no input.
        visible = [name for name in visible if (Path(place) / name).resolve() != made]
        folders[:] = visible if recursive else []
        if not recursive:
            left_out = visible
        for name in sorted(names):
            path = Path(place) / name
            if name.startswith("."):
                continue
            if path.suffix.lower() in wanted:
                if path.is_file():
                    files.append(path)
                elif path.is_symlink():
                    say(f"{path}: is left out, the link leads to nothing")
                else:
                    say(f"{path}: is left out, it is a pipe, a socket or a device")
            elif path.suffix.lower() in FOREIGN_IMAGE_SUFFIXES:
                foreign.append(name)
    for error in unreadable:
        problem = f"{error.filename}: cannot be read ({error.strerror})"
        if Path(error.filename) == source:
            raise InputError(problem)
        say(f"{problem}; it is left out")
    if left_out:
        count = "1 subfolder is" if len(left_out) == 1 else f"{len(left_out)} subfolders are"
        say(f"{source}: {count} left out ({left_out[0]}); --recursive takes them, too")
    return files, foreign


def becomes_image(source: Path, target: Path) -> bool:
    """Whether `source` is an image, or an animation that becomes one."""
    if source.suffix.lower() == GIF:
        still = is_image(target) and not has_number(target.name)
        return target.suffix.lower() == GIF or still
    becomes_video = target.suffix.lower() in VIDEO_SUFFIXES and target.suffix.lower() != GIF
    if is_image(source) and (becomes_video or becomes_images(source, target)):
        return not is_animated(source)
    return is_image(source)


def own_name(path: Path, options: EncoderOptions) -> str:
    """Like `output_name`, but a GIF stays one."""
    return path.name if path.suffix.lower() == GIF else output_name(path, options)


def output_name(path: Path, options: EncoderOptions) -> str:
    """The name of what becomes of `path`: its own, or that of the codec's first suffix."""
    suffixes = (*IMAGE_SUFFIXES, *options.encoder.suffixes)
    if path.suffix.lower() in suffixes:
        return path.name
    return path.stem + options.encoder.suffixes[0]
