"""Which pictures a blind comparison shows, in which order, and what the answers add up to."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Annotated

import msgspec

from framelift.common.errors import ConfigError

ANSWERS = ("left", "right", "same")


class Picture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place in a photograph or in a frame of a clip; `left` and `top` in pixels.

    `frame`, from 0, is for clips; `coding`, such as "x264:23", is what the reduced clip is coded
    with before it is upscaled, none if empty.
    """

    kind: str
    file: str
    left: int
    top: int
    frame: Annotated[int, msgspec.Meta(ge=0)] | None = None
    coding: str = ""


class Pictures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    picture: tuple[Picture, ...]


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one sheet shows: two methods on one picture."""

    number: int
    kind: str
    file: str
    left: str
    right: str


def drawn(
    pictures: Sequence[Picture], methods: Sequence[str], count: int, seed: int, focus: str | None
) -> list[tuple[Picture, Pair]]:
    """`count` pairs in random order and on random sides: each two methods equally often, and on
    different pictures; with `focus` only pairs that have that method.

    Raises ConfigError when there are fewer pairs than that.
    """
    generator = random.Random(seed)
    both = [pair for pair in combinations(methods, 2) if focus is None or focus in pair]
    if count > (most := len(both) * len(pictures)):
        raise ConfigError(
            f"--pairs {count}: {len(pictures)} pictures and {len(methods)} methods make at most "
            f"{most} pairs; use fewer, or more pictures"
        )
    shuffled = generator.sample(pictures, len(pictures))
    rounds = [
        (shuffled[(index + turn) % len(shuffled)], pair)
        for turn in range(len(shuffled))
        for index, pair in enumerate(both)
    ][:count]
    generator.shuffle(rounds)
    found = []
    for number, (picture, pair) in enumerate(rounds, start=1):
        left, right = generator.sample(pair, 2)
        found.append((picture, Pair(number, picture.kind, picture.file, left, right)))
    return found


def read_answers(text: str, where: str, count: int) -> dict[int, str]:
    """The answers, lines of `NUMBER left|right|same`; empty lines and those after # do not count.

    Raises ConfigError for a line that is something else, or a number twice.
    """
    answers: dict[int, str] = {}
    for place, line in enumerate(text.splitlines(), start=1):
        words = line.split("#", 1)[0].replace(",", " ").split()
        if not words:
            continue
        number = int(words[0]) if words[0].isascii() and words[0].isdigit() else 0
        if len(words) != 2 or words[1] not in ANSWERS or not 1 <= number <= count:
            raise ConfigError(
                f"{where}, line {place}: {line.strip()!r} is no answer; write a number from 1 to "
                f"{count} and {', '.join(ANSWERS)}"
            )
        if number in answers:
            raise ConfigError(f"{where}, line {place}: pair {number} has an answer already")
        answers[number] = words[1]
    return answers


def tally(pairs: Sequence[Pair], answers: Mapping[int, str]) -> list[Sequence[str]]:
    """Rows for people, the header first: of each two methods, how often each was preferred."""
    wins: dict[tuple[str, str], Counter[str]] = {}
    for pair in pairs:
        if (answer := answers.get(pair.number)) is None:
            continue
        first, second = sorted((pair.left, pair.right))
        preferred = {"left": pair.left, "right": pair.right}.get(answer, "")
        wins.setdefault((first, second), Counter())[preferred] += 1
    rows: list[Sequence[str]] = [("first", "second", "first preferred", "second preferred", "same")]
    for (first, second), counts in sorted(wins.items()):
        numbers = (str(counts[name]) for name in (first, second, ""))
        rows.append((first, second, *numbers))
    return rows


def preferred(pairs: Sequence[Pair], answers: Mapping[int, str]) -> list[Sequence[str]]:
    """Rows for people, the header first: how often each method was preferred, of how many pairs."""
    won, shown = Counter[str](), Counter[str]()
    for pair in pairs:
        if (answer := answers.get(pair.number)) is None:
            continue
        shown.update((pair.left, pair.right))
        if answer != "same":
            won[pair.left if answer == "left" else pair.right] += 1
    rows: list[Sequence[str]] = [("method", "preferred", "of pairs")]
    order = sorted(shown, key=lambda name: (-won[name] / shown[name], name))
    return [*rows, *((name, str(won[name]), str(shown[name])) for name in order)]
