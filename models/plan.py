"""What zoo.toml asks for, checked, and in the order in which it can be trained."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from framelift.common.errors import ConfigError
from framelift.train.config.preset_files import preset_names

from .artefacts import Artefacts

FOLDER = Path(__file__).parent
ZOO = FOLDER / "zoo.toml"


class Limits(Artefacts, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a perceptual model must keep, with the most of each of its artefacts; see zoo.toml."""

    held_out: str
    gains: dict[str, float]
    sets: tuple[str, ...]
    psnr_drop_db: float


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model. `parent` is the one whose weights it starts from; a `perceptual` model is judged
    beside it, with `gains` in place of those of `Limits` where it has some. Its plain file is fp16;
    with `int8` there is one more.
    """

    name: str
    minutes: float
    parent: str = msgspec.field(name="from", default="")
    int8: bool = False
    perceptual: bool = False
    set: tuple[str, ...] = ()
    floor_db: float | None = None
    aim_db: float | None = None
    espcn: float | None = None
    gains: dict[str, float] = {}


class Zoo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    limits: Limits
    model: tuple[Model, ...]


def read_zoo(path: Path = ZOO) -> Zoo:
    """Read and check the list. Raises ConfigError."""
    try:
        zoo = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Zoo)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from error
    names = [model.name for model in zoo.model]
    presets = preset_names()
    for index, model in enumerate(zoo.model):
        if model.name not in presets:
            raise ConfigError(f"{path}: {model.name}: there is no preset of this name")
        if model.parent and model.parent not in names[:index]:
            raise ConfigError(f"{path}: {model.name}: {model.parent} must come before it")
    return zoo


def chosen(zoo: Zoo, names: Sequence[str]) -> list[Model]:
    """The models of these names, all if there are none, in the order of the file.

    Raises ConfigError for a name that is not in it.
    """
    known = [model.name for model in zoo.model]
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(f"{', '.join(unknown)}: not in the zoo, which has {', '.join(known)}")
    return [model for model in zoo.model if not names or model.name in names]
