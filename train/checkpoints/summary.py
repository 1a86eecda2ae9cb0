"""What a checkpoint states of its training, as JSON in the file's header."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

Changes = dict[str, float | None]
"""Settings of the optimizer that were changed on resuming, such as "optimizer.lr"."""


class Origin(TypedDict):
    """A file of weights that a training used."""

    name: str
    """With its folder's, since all checkpoints are named alike."""
    sha256: str
    network: NotRequired[dict[str, object]]
    """Of a framelift checkpoint, as is `training`."""
    training: NotRequired[Mapping[str, Any]]


class StyleFile(TypedDict):
    """The picture whose style was learnt."""

    name: str
    sha256: str


class Summary(TypedDict):
    """How a network was trained. Checkpoints of earlier releases may lack some of it."""

    steps: int
    loss: list[dict[str, object]]
    batch: int
    """Over all processes."""
    crop: int
    degradation: str
    photographs: int
    data_fingerprint: str
    seconds: int
    seed: int
    ema: float
    optimizer: dict[str, object]
    amp: str
    init: NotRequired[Origin]
    """What it started from."""
    teacher: NotRequired[Origin]
    """Whose outputs were the targets."""
    steps_left_out: NotRequired[int]
    """Those whose gradients were not finite."""
    changes: NotRequired[dict[str, Changes]]
    """By step."""
    style_image: NotRequired[StyleFile]
    validation: NotRequired[dict[str, str | int | float]]
    """The last scores, with the folder and the step."""
