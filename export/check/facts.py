"""The contents of targets.toml: what TensorRT and the releases of ONNX Runtime take."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

FACTS = Path(__file__).parent / "targets.toml"


class Exporter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The opsets that PyTorch's exporter writes."""

    name: str
    package: str
    lowest_opset: int
    highest_opset: int
    preferred_opset: int
    source: str
    date: str


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a tool reads from one version on."""

    since: str
    highest_opset: int
    highest_ir: int | None = None


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tool that runs models; its releases are in order."""

    name: str
    lowest_opset: int
    source: str
    date: str
    releases: tuple[Release, ...]
    lowest_opset_source: str = ""
    integer_shuffle_since: str = ""
    """The first version whose DepthToSpace takes uint8."""
    integer_shuffle_source: str = ""
    rules: str = ""
    """ "tensorrt" where the table `tensorrt` counts."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What TensorRT asks of one operator."""

    attributes: dict[str, tuple[Any, ...]] = {}
    """By name, the values that it takes."""
    defaults: dict[str, Any] = {}
    """By name, what an attribute that is missing counts as, if not the first value it takes."""
    without: tuple[str, ...] = ()
    """Attributes that it does not take."""
    outputs: int | None = None
    """How many outputs may be used."""
    constant: dict[int, str] = {}
    """By number, the names of inputs that must be constant."""
    of_shapes: dict[int, str] = {}
    """By number, those of inputs that must be constant or computed from shapes."""
    refused_types: tuple[str, ...] = ()


class TensorRTTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What TensorRT's parser takes."""

    source: str
    date: str
    supported: tuple[str, ...]
    unsupported: tuple[str, ...]
    restricted: dict[str, str]
    """By operator, with what it is taken only."""
    resize_modes: tuple[str, ...]
    resize_transforms: tuple[str, ...]
    types: tuple[str, ...]
    quantised_types: tuple[str, ...]
    plugins: tuple[str, ...]
    limits: dict[str, Limits]
    """By operator."""


class OnnxRuntimeTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ONNX Runtime takes beyond ONNX."""

    source: str
    date: str
    runs_withdrawn: tuple[str, ...]


class Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    exporter: Exporter
    targets: dict[str, Target]
    tensorrt: TensorRTTable
    onnxruntime: OnnxRuntimeTable


@cache
def facts() -> Facts:
    """What targets.toml says."""
    with FACTS.open("rb") as file:
        return msgspec.convert(tomllib.load(file), Facts, str_keys=True)
