"""Blind comparisons: what is shown, and what the answers add up to."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from framelift.common.errors import ConfigError, FrameliftError
from models.blind import main
from models.pairs import Pair, Picture, drawn, preferred, read_answers, tally

ROOT = Path(__file__).parents[2]
PICTURES = [Picture(f"kind{k}", f"{k}.png", 0, 0) for k in range(8)]
METHODS = ["fidelity", "old", "new", "bicubic"]


def test_every_two_methods_meet_equally_often() -> None:
    shown = drawn(PICTURES, METHODS, 24, 7, None)
    assert [pair.number for _, pair in shown] == list(range(1, 25))
    meetings = Counter(frozenset((pair.left, pair.right)) for _, pair in shown)
    assert set(meetings.values()) == {4}
    assert len(meetings) == 6
    places = Counter((picture, frozenset((pair.left, pair.right))) for picture, pair in shown)
    assert max(places.values()) == 1
    assert {picture.kind for picture, _ in shown} == {picture.kind for picture in PICTURES}
    sides = Counter(pair.left for _, pair in shown)
    assert min(sides[name] for name in METHODS) > 0
    assert shown == drawn(PICTURES, METHODS, 24, 7, None)
    assert shown != drawn(PICTURES, METHODS, 24, 8, None)


def test_pairs_that_have_one_method() -> None:
    shown = drawn(PICTURES, METHODS, 24, 7, "new")
    assert all("new" in (pair.left, pair.right) for _, pair in shown)
    with pytest.raises(ConfigError, match="8 pictures and 4 methods make at most 24 pairs"):
        drawn(PICTURES, METHODS, 25, 7, "new")


def test_the_tally() -> None:
    pairs = [
        Pair(1, "fur", "a.png", "old", "new"),
        Pair(2, "sky", "b.png", "new", "old"),
        Pair(3, "fur", "a.png", "new", "bicubic"),
        Pair(4, "sky", "b.png", "old", "new"),
    ]
    answers = read_answers("1 right\n\n2, left # clearer\n3 same\n", "answers.txt", 4)
    assert answers == {1: "right", 2: "left", 3: "same"}
    assert tally(pairs, answers)[1:] == [
        ("bicubic", "new", "0", "0", "1"),
        ("new", "old", "2", "0", "0"),
    ]
    assert preferred(pairs, answers)[1:] == [
        ("new", "2", "3"),
        ("bicubic", "0", "1"),
        ("old", "0", "2"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 both", "line 1: '1 both' is no answer; write a number from 1 to 4"),
        ("\n5 left", "line 2: '5 left' is no answer"),
        ("1 left\n1 right", "line 2: pair 1 has an answer already"),
    ],
)
def test_answers_that_are_none(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_answers(text, "answers.txt", 4)


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """A photograph, and the list of the one place in it."""
    image = cv2.imread(str(ROOT / "examples" / "raccoon.jpg"))
    assert image is not None
    cv2.imwrite(str(tmp_path / "raccoon.png"), image[100:260, 100:260])
    place = '[[picture]]\nkind = "fur"\nfile = "raccoon.png"\nleft = 8\ntop = 16\n'
    (tmp_path / "places.toml").write_text(place)
    return tmp_path


def test_sheets_show_what_the_key_says(sets: Path) -> None:
    out = sets / "blind"
    options = ["--hr", str(sets), "--pictures", str(sets / "places.toml"), "--out", str(out)]
    methods = ["--method", "small=realtime-nano-x4", "--method", "bicubic", "--pairs", "1"]
    done = CliRunner().invoke(main, ["render", *options, *methods], catch_exceptions=False)
    assert done.exit_code == 0
    key = json.loads((out / "key.json").read_text())
    assert {key["pairs"][0]["left"], key["pairs"][0]["right"]} == {"small", "bicubic"}
    sheet = cv2.imread(str(out / "01.png"))
    assert sheet is not None
    assert sheet.shape == (3 * 144 + 16, 4 * 144 + 16, 3)
    sides = [sheet[:288:2, :288:2], sheet[:288:2, 304::2]]
    sharpness = [float(np.square(np.diff(side.astype(float), axis=1)).mean()) for side in sides]
    order = (key["pairs"][0]["left"], key["pairs"][0]["right"])
    assert order[int(np.argmax(sharpness))] == "small"
    small = sheet[304:, 72:216]
    assert np.array_equal(small, sides[0])

    (sets / "answers.txt").write_text("1 left\n")
    told = CliRunner().invoke(
        main, ["tally", str(out), str(sets / "answers.txt")], catch_exceptions=False
    )
    assert "1 of 1 pairs have an answer" in told.output
    with pytest.raises(ConfigError, match="is not empty; use another --out folder"):
        CliRunner().invoke(main, ["render", *options, *methods], catch_exceptions=False)


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        (["a=realtime-nano-x4"], "a comparison needs two methods"),
        (["a=realtime-nano-x4", "b"], "--method b: write NAME=MODEL, or bicubic"),
        (["a=realtime-nano-x4", "b=realtime-nano-x2"], "must have one scale: a ×4, b ×2"),
        (["a=none.onnx", "bicubic"], "none.onnx"),
    ],
)
def test_methods_that_cannot_be_compared(sets: Path, methods: list[str], message: str) -> None:
    given = [word for method in methods for word in ("--method", method)]
    options = ["--hr", str(sets), "--pictures", str(sets / "places.toml"), "--pairs", "1"]
    with pytest.raises(FrameliftError, match=message):
        CliRunner().invoke(
            main,
            ["render", *options, *given, "--out", str(sets / "out")],
            catch_exceptions=False,
        )
    assert not (sets / "out").exists()


def test_photographs_that_are_not_there(sets: Path) -> None:
    for text, message in (
        ('file = "x.png"\nleft = 0', "x.png: no such file; --hr is the folder"),
        ('file = "raccoon.png"\nleft = 80', "raccoon.png: has no 144×144 pixels at 80, 0"),
    ):
        (sets / "places.toml").write_text(f'[[picture]]\nkind = "fur"\ntop = 0\n{text}\n')
        methods = ["--method", "a=realtime-nano-x4", "--method", "bicubic", "--pairs", "1"]
        options = ["--hr", str(sets), "--pictures", str(sets / "places.toml")]
        with pytest.raises(FrameliftError, match=message):
            CliRunner().invoke(
                main,
                ["render", *options, *methods, "--out", str(sets / "out")],
                catch_exceptions=False,
            )
