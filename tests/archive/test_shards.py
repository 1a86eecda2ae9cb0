"""Shards are disjoint, complete and stable; Kubernetes and Slurm say which one this is."""

from __future__ import annotations

import random

import pytest

from framelift.archive.plan.shards import Shard, parse_shard
from framelift.common.errors import ConfigError

NAMES = [f"series {n % 7}/épisode {n}.mp4" for n in range(500)]


def test_every_file_is_in_exactly_one_shard_whatever_the_order() -> None:
    shuffled = random.Random(0).sample(NAMES, len(NAMES))
    for count in (1, 3, 16):
        parts = [[name for name in shuffled if name in Shard(i, count)] for i in range(count)]
        assert sorted(name for part in parts for name in part) == sorted(NAMES)
        assert all(len(part) > 0.5 * len(NAMES) / count for part in parts)


def test_a_shard_does_not_depend_on_the_machine_or_the_version() -> None:
    """Written down once: if the parts differed between machines, files would be left out."""
    assert [n for n, name in enumerate(NAMES[:20]) if name in Shard(0, 3)] == [4, 5, 14, 15, 18]


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        ("2/40", {}, Shard(2, 40)),
        ("0/1", {}, Shard(0, 1)),
        ("auto/8", {"JOB_COMPLETION_INDEX": "7"}, Shard(7, 8)),
        ("auto", {"JOB_COMPLETION_INDEX": "7", "JOB_COMPLETIONS": "9"}, Shard(7, 9)),
        ("auto/8", {"SLURM_ARRAY_TASK_ID": "3"}, Shard(3, 8)),
        ("auto", "slurm 0 0 9 10", Shard(0, 10)),
        ("auto", "slurm 10 1 10 10", Shard(9, 10)),
    ],
)
def test_shards_that_are_understood(
    text: str, environment: dict[str, str] | str, expected: Shard
) -> None:
    assert parse_shard(text, slurm(environment)) == expected


@pytest.mark.parametrize(
    ("text", "environment", "message"),
    [
        ("3/3", {}, "shards are counted from 0, so the last one of 3 is 2/3"),
        ("0/0", {}, "the count of shards must be 1 or more"),
        ("1", {}, "'1' is not a shard: write INDEX/COUNT"),
        ("-1/3", {}, "'-1/3' is not a shard"),
        ("auto/x", {}, "'auto/x' is not a shard"),
        ("auto/²", {}, "'auto/²' is not a shard"),
        ("auto", {}, "neither an indexed job of Kubernetes"),
        ("auto", {"JOB_COMPLETION_INDEX": "1"}, "write --shard auto/COUNT"),
        ("auto/4", {"JOB_COMPLETION_INDEX": "x"}, "JOB_COMPLETION_INDEX is 'x', not a number"),
        ("auto/4", {"JOB_COMPLETION_INDEX": "4"}, "there is no shard 4/4"),
        # Parts of an array that were submitted again would be parts of another whole.
        ("auto", "slurm 3 3 7 2", "ids run from 3 to 7, 2 in all"),
        ("auto", "slurm 3 3 3 1", "ids run from 3 to 3"),
    ],
)
def test_what_is_no_shard(text: str, environment: dict[str, str] | str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_shard(text, slurm(environment))


def slurm(environment: dict[str, str] | str) -> dict[str, str]:
    """The variables of an array job, from "slurm ID MIN MAX COUNT"."""
    if isinstance(environment, dict):
        return environment
    names = ("ID", "MIN", "MAX", "COUNT")
    values = environment.split()[1:]
    return {f"SLURM_ARRAY_TASK_{name}": value for name, value in zip(names, values, strict=True)}
