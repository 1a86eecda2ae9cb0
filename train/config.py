"""Training configurations: strict TOML, presets by name, overrides on the command line.

A run also saves its resolved config as JSON, which is accepted wherever TOML is.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from ..imaging.errors import ConfigError
from .data.degradation import MARGIN, Degradation
from .losses import FeatureLossConfig, LossConfig, PixelLossConfig
from .networks import JohnsonConfig, NetworkConfig, RealtimeConfig

PRESETS = Path(__file__).parent / "presets"


class DataConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Photographs and how training pairs are made of them."""

    folders: tuple[str, ...] = ()
    crop: int = 192  # side of the high-resolution training crop, pixels
    batch: int = 16  # crops per step
    degradation: Degradation = "bicubic"
    cache_mb: int = 2048  # decoded photographs kept in memory, MiB


class OptimizerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Adam (Kingma & Ba 2015) or AdamW."""

    name: Literal["adam", "adamw"] = "adam"
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    clip_norm: float = 0.0  # gradients are scaled down to this norm; 0 is off


class ScheduleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Learning rate over the run, as a factor of `optimizer.lr`."""

    kind: Literal["constant", "cosine", "step"] = "constant"
    warmup: int = 0  # steps of linear increase from 0
    final: float = 0.0  # cosine: the last factor
    milestones: tuple[int, ...] = ()  # step: where the factor is multiplied by gamma
    gamma: float = 0.5


class ValidationConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Y-PSNR and Y-SSIM on a folder of high-resolution images, by the standard protocol."""

    folder: str = ""  # empty: no validation
    every: int = 1000  # steps


class TrainConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that determines a training run."""

    network: NetworkConfig
    loss: tuple[LossConfig, ...]
    steps: int
    data: DataConfig = DataConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    validation: ValidationConfig = ValidationConfig()
    ema: float = 0.0  # decay of the averaged weights that are kept; 0: the weights themselves
    seed: int = 0
    checkpoint_every: int = 1000  # steps
    log_every: int = 50  # steps
    init: str = ""  # a checkpoint of the same network to start from (fine-tuning)

    def __post_init__(self) -> None:
        scale = self.network.scale
        if not self.loss:
            raise ValueError("loss must have at least one term")
        if self.data.crop % scale or self.data.crop // scale < MARGIN:
            raise ValueError(
                f"data.crop must be a multiple of the scale {scale} "
                f"and at least {scale * MARGIN}, not {self.data.crop}"
            )
        for name, value in (
            ("steps", self.steps),
            ("data.batch", self.data.batch),
            ("checkpoint_every", self.checkpoint_every),
            ("log_every", self.log_every),
            ("validation.every", self.validation.every),
        ):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema must be in [0, 1), not {self.ema}")


def preset_names() -> list[str]:
    """Names of the shipped presets."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load_config(
    source: str, overrides: Sequence[str] = (), folders: Sequence[str] = ()
) -> TrainConfig:
    """Read a config from a .toml or .json file or a preset name, then apply overrides.

    Args:
        source: path or preset name.
        overrides: "section.key=value" each, the value a TOML literal (or a bare string).
        folders: training folders that replace `data.folders`, if any.

    Raises ConfigError naming the key that is wrong and what it should be.
    """
    document = _read(source)
    for override in overrides:
        _override(document, override)
    if folders:
        document.setdefault("data", {})["folders"] = list(folders)
    try:
        return msgspec.convert(document, TrainConfig, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(f"config {source}: {_explain(str(error))}") from error


def _read(source: str) -> dict[str, Any]:
    path = Path(source)
    if path.suffix not in (".toml", ".json"):
        path = PRESETS / f"{source}.toml"
        if not path.is_file():
            near = difflib.get_close_matches(source, preset_names(), 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(
                f"config {source}: no such preset{hint} Presets: {', '.join(preset_names())}; "
                "or give the path of a .toml file"
            )
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"config {path}: {error.strerror}") from error
    except ValueError as error:  # both decoders' errors
        raise ConfigError(f"config {path}: not valid {path.suffix[1:].upper()}: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"config {path}: expected a table of settings")
    return document


def _override(document: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"override {override!r}: expected section.key=value")
    try:
        value = tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        value = text
    *sections, last = key.split(".")
    table = document
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            raise ConfigError(f"override {override!r}: {section} is not a section")
    table[last] = value


def _explain(message: str) -> str:
    """msgspec's message, with the nearest known key when a key is unknown."""
    unknown = re.search(r"unknown field `(.+?)`", message)
    if not unknown:
        return message.replace("`$.", "`").rstrip(".")
    near = difflib.get_close_matches(unknown[1], _known_keys(), 1)
    hint = f"; did you mean `{near[0]}`?" if near else ""
    place = re.search(r"at `\$\.?(.*?)`", message)
    where = f" in `{place[1]}`" if place and place[1] else ""
    return f"unknown key `{unknown[1]}`{where}{hint}"


def _known_keys() -> list[str]:
    structs = (
        TrainConfig, DataConfig, OptimizerConfig, ScheduleConfig, ValidationConfig,
        RealtimeConfig, JohnsonConfig, PixelLossConfig, FeatureLossConfig,
    )  # fmt: skip
    assert {*get_args(NetworkConfig), *get_args(LossConfig)} <= set(structs)
    return sorted({name for struct in structs for name in struct.__struct_fields__})
