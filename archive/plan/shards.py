"""Shards: disjoint parts of an archive, which each machine finds without asking the others."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ...common.errors import ConfigError

_FORM = re.compile(r"(\d+)/(\d+)", re.ASCII)
_AUTO = re.compile(r"auto(?:/(\d+))?", re.ASCII)
_KUBERNETES_INDEX = "JOB_COMPLETION_INDEX"
_KUBERNETES_COUNT = "JOB_COMPLETIONS"  # Kubernetes does not set it; our manifest does
_SLURM = "SLURM_ARRAY_TASK_"


@dataclass(frozen=True)
class Shard:
    """The `index`-th of `count` parts, counted from 0.

    The SHA-256 of the path below IN says to which part a file belongs. So the parts are the same on
    every machine, whatever other files there are and in whatever order they are listed.
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise ConfigError(
                f"there is no shard {self.index}/{self.count}: shards are counted from 0, "
                "so the "
                f"last one of {self.count} is {self.count - 1}/{self.count}"
            )

    def __contains__(self, source: str) -> bool:
        digest = hashlib.sha256(source.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8]) % self.count == self.index

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def parse_shard(text: str, environment: Mapping[str, str] = os.environ) -> Shard:
    """The shard of "2/40", or of "auto" or "auto/40" in a Kubernetes or Slurm job.

    Raises:
        ConfigError: it is none of these, or the environment does not say which part this is.
    """
    if match := _FORM.fullmatch(text):
        return Shard(int(match[1]), _positive(match[2], text))
    match = _AUTO.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"{text!r} is not a shard: write INDEX/COUNT, as 0/3, or auto in a Kubernetes or "
            "Slurm job"
        )
    total = _positive(match[1], text) if match[1] else None
    if _KUBERNETES_INDEX in environment:
        return _kubernetes(environment, total)
    if f"{_SLURM}ID" in environment:
        return _slurm(environment, total)
    raise ConfigError(
        f"--shard {text}: this is neither an indexed job of Kubernetes ({_KUBERNETES_INDEX}) nor a "
        f"Slurm array ({_SLURM}ID); write INDEX/COUNT, as 0/3"
    )


def _kubernetes(environment: Mapping[str, str], total: int | None) -> Shard:
    if total is None and _KUBERNETES_COUNT not in environment:
        raise ConfigError(
            "--shard auto: Kubernetes gives a pod its index, but not how many there are; write "
            f"--shard auto/COUNT, or set {_KUBERNETES_COUNT} in the pod's env to its completions"
        )
    count = total or _number(environment, _KUBERNETES_COUNT)
    return Shard(_number(environment, _KUBERNETES_INDEX), count)


def _slurm(environment: Mapping[str, str], total: int | None) -> Shard:
    task = _number(environment, f"{_SLURM}ID")
    if total is not None:
        return Shard(task, total)
    first, last, count = (
        _number(environment, f"{_SLURM}{name}") for name in ("MIN", "MAX", "COUNT")
    )
    if last - first + 1 != count or first > 1:
        raise ConfigError(
            f"--shard auto: the Slurm array's ids run from {first} to {last}, {count} in all, so "
            "its parts would differ from those of the whole array; use --array=0-N or 1-N, or "
            "--shard auto/COUNT with ids from 0"
        )
    return Shard(task - first, count)


def _number(environment: Mapping[str, str], name: str) -> int:
    text = environment.get(name, "")
    if not (text.isascii() and text.isdigit()):
        raise ConfigError(f"--shard auto: {name} is {text!r}, not a number")
    return int(text)


def _positive(text: str, shown: str) -> int:
    if int(text) < 1:
        raise ConfigError(f"--shard {shown}: the count of shards must be 1 or more")
    return int(text)
