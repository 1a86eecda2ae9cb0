"""Which files of a tree are to be upscaled, and where each one goes."""

from __future__ import annotations

import glob
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...common.errors import InputError, OutputError
from ...common.images import FOREIGN_IMAGE_SUFFIXES, IMAGE_SUFFIXES
from ...common.notes import Say
from ...runtime.files.jobs import VIDEO_SUFFIXES, becomes_image, own_name
from ...runtime.video.writing.encoders import EncoderOptions

_WANTED = frozenset((*IMAGE_SUFFIXES, *VIDEO_SUFFIXES))
_GLOB_CHARACTERS = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Item:
    """One file of the archive, or a piece of one; paths have slashes and begin below IN and OUT."""

    source: str
    target: str
    size_bytes: int | None
    """Size of the source; `None` when it could not be looked up, which trying it will show."""
    piece: int | None = None
    """Which piece of a long film, counted from 0; `None`: all of it."""

    @property
    def key(self) -> str:
        """What is claimed to make it."""
        return self.target if self.piece is None else f"{self.target}#{self.piece}"

    @property
    def is_image(self) -> bool:
        """Whether it is an image by its name, or a GIF that stays one."""
        return becomes_image(Path(self.source), Path(self.target))


@dataclass(frozen=True)
class Tree:
    """What the user named: a folder, a single file, or a pattern below a folder."""

    root: Path
    pattern: str | None = None
    """What files must match below `root`, with ** for any number of folders; `None`: all."""

    def __str__(self) -> str:
        return str(self.root / self.pattern if self.pattern else self.root)


def parse_tree(text: str) -> Tree:
    """The tree that IN names: a folder, a file, or a glob such as "cameras/*/2026-11-*.mp4".

    Raises InputError: there is no such folder or file.
    """
    path = Path(text)
    if path.is_dir():
        return Tree(path.absolute())
    if path.exists():
        return Tree(path.absolute().parent, glob.escape(path.name))
    parts = path.parts
    first = next((n for n, part in enumerate(parts) if _GLOB_CHARACTERS & set(part)), None)
    if first is None:
        raise InputError(f"{text}: no such file or folder")
    root = Path(*parts[:first])
    if not root.is_dir():
        raise InputError(f"{text}: the folder {root} does not exist")
    return Tree(root.absolute(), str(Path(*parts[first:])))


def list_files(tree: Tree, out: Path, list_file: Path | None, say: Say) -> dict[str, int | None]:
    """Relative path and size in bytes of every image and video, in alphabetical order.

    Hidden files and folders, what lies in `out`, and what is no file, such as a named pipe, are
    left out. Symbolic links to folders are not followed. With `list_file` its lines name the files:
    paths or globs, relative to the root or absolute below it. Empty lines and lines that begin with
    # are skipped.

    Raises:
        InputError: `list_file` cannot be read or names something outside of the tree, or there is
            no image or video.
    """
    if list_file is not None:
        found = dict(_listed(tree, out.absolute(), list_file))
    elif tree.pattern is not None:
        found = dict(_matching(tree.root, out.absolute(), tree.pattern))
    else:
        found = dict(_walk(tree.root, out.absolute(), say))
    if not found:
        where = list_file or tree
        raise InputError(f"{where}: there is no image or video in it")
    return dict(sorted(found.items()))


def with_targets(
    files: Mapping[str, int | None], options: EncoderOptions, recorded: Mapping[str, str]
) -> list[Item]:
    """Give each file its place in OUT.

    Names are kept; a video whose container cannot hold the codec gets that of the codec's first
    suffix, behind its own one where another file's output has that name. `recorded` holds the
    targets of files that were renamed before, which stay as they are whatever files are added.
    """
    natural = {
        source: _place(source, own_name(Path(source), options))
        for source in files
        if source not in recorded
    }
    kept = frozenset(recorded.values())
    taken = Counter([*natural.values(), *kept])
    items = []
    for source, size in files.items():
        target = recorded.get(source)
        if target is None:
            target = natural[source]
            if taken[target] > 1 and (target != source or target in kept):
                target = _place(source, Path(source).name + options.encoder.suffixes[0])
        items.append(Item(source, target, size))
    return items


def _place(source: str, name: str) -> str:
    folder, slash, _ = source.rpartition("/")
    return f"{folder}{slash}{name}"


def _walk(root: Path, out: Path, say: Say) -> Iterator[tuple[str, int | None]]:
    links: list[str] = []
    foreign: list[str] = []
    pipes: list[str] = []
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        if Path(entry.path) != out:
                            folders.append(Path(entry.path))
                    elif entry.is_symlink() and entry.is_dir():
                        links.append(entry.path)
                    elif (suffix := Path(entry.name).suffix.lower()) not in _WANTED:
                        if suffix in FOREIGN_IMAGE_SUFFIXES:
                            foreign.append(entry.path)
                    elif _would_block(Path(entry.path)):
                        pipes.append(entry.path)
                    else:
                        yield _relative(Path(entry.path), root), _size(entry)
        except OSError as error:
            say(f"{folder}: cannot be read ({error.strerror}); it is left out")
    _note(say, links, "left out: links to folders are not followed")
    _note(say, pipes, "left out: not a file, but a pipe, a socket or a device")
    _note(say, foreign, "left out: images of this format are not read; convert to PNG first")


def _matching(root: Path, out: Path, pattern: str) -> Iterator[tuple[str, int | None]]:
    is_below = root in out.parents  # then the pattern may match outputs
    for name in glob.iglob(pattern, root_dir=root, recursive=True):
        path = root / name
        if path.suffix.lower() not in _WANTED or (is_below and out in path.parents):
            continue
        if path.is_file():
            yield _relative(path, root), _size(path)


def _listed(tree: Tree, out: Path, list_file: Path) -> Iterator[tuple[str, int | None]]:
    for number, text in _lines(list_file):
        if "\0" in text:
            raise InputError(
                f"{list_file}, line {number}: is not a path; write one path per line, as text"
            )
        place = Path(os.path.normpath(tree.root / text))
        if not place.is_relative_to(tree.root) or place == tree.root:
            raise InputError(f"{list_file}, line {number}: {text} does not lie in {tree.root}")
        relative = _relative(place, tree.root)
        if not place.exists() and _GLOB_CHARACTERS & set(text):
            yield from _matching(tree.root, out, relative)
        elif place.is_dir():
            raise InputError(
                f"{list_file}, line {number}: {text} is a folder; "
                f"name its files, as {text.rstrip('/')}/**/*"
            )
        elif _would_block(place):
            raise InputError(
                f"{list_file}, line {number}: {text} is not a file, but a pipe, a socket or a "
                "device"
            )
        else:
            yield relative, _size(place)


def _lines(list_file: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line that names something."""
    try:
        data = sys.stdin.buffer.read() if str(list_file) == "-" else list_file.read_bytes()
    except OSError as error:
        raise InputError(f"{list_file}: cannot be read ({error.strerror})") from error
    # Windows' editors begin a file with a mark of its encoding; names may hold any other bytes.
    for number, line in enumerate(data.decode("utf-8-sig", "surrogateescape").split("\n"), 1):
        text = line.strip()
        if text and not text.startswith("#"):
            yield number, text


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _would_block(path: Path) -> bool:
    """Whether it is there and no file; reading a pipe would wait for a writer for ever.

    A link to nothing counts as a file: trying it says what is wrong.
    """
    return path.exists() and not path.is_file()


def _size(entry: os.DirEntry[str] | Path) -> int | None:
    try:
        return entry.stat().st_size
    except OSError:
        return None


def _note(say: Say, paths: list[str], what: str) -> None:
    if paths:
        first = f"{paths[0]} and {len(paths) - 1} more" if paths[1:] else paths[0]
        say(f"{first} {what}")


def check_places(tree: Tree, out: Path) -> None:
    """Raise OutputError where OUT is no folder, or is IN itself."""
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: is a file; name a folder for the archive's outputs")
    if out.exists() and out.samefile(tree.root):
        raise OutputError(f"{out}: is the input itself; name another folder")
