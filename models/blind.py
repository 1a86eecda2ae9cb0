"""A comparison by someone who does not know which picture is whose.

python -m models.blind render --hr SETS --method fidelity=realtime-medium-x4 \\
    --method new=new.onnx --method bicubic --out runs/blind
python -m models.blind tally runs/blind answers.txt

`render` writes a sheet for each pair, two methods on one place of a photograph or of a frame of a
coded clip side by side, at 2:1 and at 1:1, and `key.json`, which says whose they are. Who looks at
the sheets gets neither the key nor the command, and writes a line for each: its number, and left,
right or same.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import click
import cv2
import msgspec
import numpy as np

from framelift.benchmarks.quality.footage import code_clip, read_clip
from framelift.benchmarks.quality.scores import read_original
from framelift.common.errors import ConfigError, InputError
from framelift.common.files import write_atomic
from framelift.common.table import align
from framelift.imaging.coding import parse_coding
from framelift.imaging.quality import ImageU8, Upscale, as_bgr, bicubic, shrink
from framelift.runtime import Upscaler

from .pairs import Pair, Picture, Pictures, drawn, preferred, read_answers, tally
from .running import run

FOLDER = Path(__file__).parent
SIDE = 144  # of a place, pixels
GAP = 16
BICUBIC = "bicubic"


@click.group()
def main() -> None:
    """Compare models by what people prefer, without knowing whose a picture is."""


@main.command()
@click.option("--hr", "root", type=click.Path(path_type=Path), required=True, metavar="DIR")
@click.option(
    "--method",
    "methods",
    multiple=True,
    required=True,
    metavar="NAME=MODEL",
    help="A model under a name, or bicubic; at least two.",
)
@click.option("--pairs", "count", type=click.IntRange(1), default=24, show_default=True)
@click.option("--focus", metavar="NAME", help="Only pairs that have this method.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--pictures",
    "listed",
    type=click.Path(path_type=Path),
    default=FOLDER / "blind.toml",
    help="Which places of which photographs or clips are shown. [default: models/blind.toml]",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="DIR")
def render(
    root: Path,
    methods: tuple[str, ...],
    count: int,
    focus: str | None,
    seed: int,
    listed: Path,
    out: Path,
) -> None:
    """Write the sheets and the key. --hr holds the folders of the photographs, Set14 and BSD100."""
    named = _named(methods)
    if focus is not None and focus not in named:
        raise ConfigError(f"--focus {focus}: no such method; there are {', '.join(named)}")
    if out.exists() and any(out.iterdir()):
        raise ConfigError(f"{out}: is not empty; use another --out folder")
    pairs = drawn(_read_pictures(listed), list(named), count, seed, focus)
    with ExitStack() as stack:
        loaded = {
            name: stack.enter_context(Upscaler.load(model))
            for name, model in named.items()
            if model != BICUBIC
        }
        scales = {name: upscaler.scale for name, upscaler in loaded.items()}
        if len(set(scales.values())) != 1:
            shown = ", ".join(f"{name} ×{scale}" for name, scale in scales.items())
            raise ConfigError(f"the models must have one scale: {shown or 'name at least one'}")
        (scale,) = set(scales.values())
        upscales: dict[str, Upscale] = {name: loaded.get(name, bicubic(scale)) for name in named}
        places = _places({picture for picture, _ in pairs}, root, upscales, scale)
    out.mkdir(parents=True, exist_ok=True)
    for picture, pair in pairs:
        made = places[picture]
        write_atomic(out / f"{pair.number:02}.png", _sheet(made[pair.left], made[pair.right]))
    key = {"methods": named, "seed": seed, "pairs": msgspec.to_builtins([p for _, p in pairs])}
    write_atomic(out / "key.json", json.dumps(key, indent=2, ensure_ascii=False).encode())
    click.echo(f"{len(pairs)} pairs in {out}; key.json is not for who looks at them")


@main.command(name="tally")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("answers", type=click.Path(path_type=Path))
def tally_command(folder: Path, answers: Path) -> None:
    """Count ANSWERS about the sheets in FOLDER."""
    try:
        key = json.loads((folder / "key.json").read_text(encoding="utf-8"))
        pairs = msgspec.convert(key["pairs"], list[Pair])
    except OSError as error:
        raise InputError(f"{folder / 'key.json'}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder / 'key.json'}: is not a key of models.blind") from error
    try:
        text = answers.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{answers}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{answers}: is not a text file") from error
    given = read_answers(text, str(answers), len(pairs))
    click.echo(f"{len(given)} of {len(pairs)} pairs have an answer\n")
    click.echo(align(tally(pairs, given)) + "\n")
    click.echo(align(preferred(pairs, given)))


def _named(methods: Sequence[str]) -> dict[str, str]:
    """Model by name. Raises ConfigError."""
    named: dict[str, str] = {}
    for method in methods:
        name, _, model = method.partition("=")
        if not name or not (model := model or (BICUBIC if name == BICUBIC else "")):
            raise ConfigError(f"--method {method}: write NAME=MODEL, or bicubic")
        if name in named:
            raise ConfigError(f"--method {method}: the name {name} is there already")
        named[name] = model
    if len(named) < 2:
        raise ConfigError("a comparison needs two methods: give --method twice or more")
    return named


def _read_pictures(path: Path) -> tuple[Picture, ...]:
    try:
        text = path.read_text(encoding="utf-8")
        return msgspec.convert(tomllib.loads(text), Pictures).picture
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from error


def _places(
    pictures: set[Picture], root: Path, upscales: Mapping[str, Upscale], scale: int
) -> dict[Picture, dict[str, ImageU8]]:
    """What each method makes of each place. Photographs and frames are enlarged whole."""
    found = {}
    for picture in sorted(pictures, key=lambda one: (one.file, one.left, one.top)):
        path = root / picture.file
        if not path.is_file():
            raise InputError(f"{path}: no such file; --hr is the folder of Set14 and BSD100")
        small = _reduced(picture, path, scale)
        rows = slice(picture.top, picture.top + SIDE)
        columns = slice(picture.left, picture.left + SIDE)
        made = {name: upscale(small)[rows, columns].copy() for name, upscale in upscales.items()}
        if any(place.shape[:2] != (SIDE, SIDE) for place in made.values()):
            raise InputError(
                f"{path}: has no {SIDE}×{SIDE} pixels at {picture.left}, {picture.top}"
            )
        found[picture] = made
    return found


def _reduced(picture: Picture, path: Path, scale: int) -> ImageU8:
    """What the methods get: the photograph reduced, or a frame of the reduced and coded clip."""
    if picture.frame is None:
        return as_bgr(shrink(read_original(path), scale))
    frames = read_clip(path, max(picture.frame + 1, 2), scale)
    if len(frames) <= picture.frame:
        raise InputError(f"{path}: has {len(frames)} frames; there is no frame {picture.frame}")
    coding = parse_coding(picture.coding) if picture.coding else None
    coded = code_clip(np.stack([shrink(frame, scale) for frame in frames]), coding)
    return np.ascontiguousarray(coded[picture.frame])


def _sheet(left: ImageU8, right: ImageU8) -> bytes:
    """A PNG of both, at 2:1 and below that at 1:1."""
    large = [image.repeat(2, 0).repeat(2, 1) for image in (left, right)]
    width, height = 4 * SIDE + GAP, 3 * SIDE + GAP
    sheet = np.full((height, width, 3), 255, np.uint8)
    for index, (big, small) in enumerate(zip(large, (left, right), strict=True)):
        x = index * (2 * SIDE + GAP)
        sheet[: 2 * SIDE, x : x + 2 * SIDE] = big
        sheet[2 * SIDE + GAP :, x + SIDE // 2 : x + SIDE // 2 + SIDE] = small
    _, encoded = cv2.imencode(".png", sheet)
    return encoded.tobytes()


if __name__ == "__main__":
    run(main, "blind")
