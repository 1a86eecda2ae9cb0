from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from framelift.common.errors import ConfigError
from framelift.runtime.gpu.shapes import (
    FrameShape,
    ShapeProfile,
    check_profile,
    fixed,
    parse_profile,
    profile_for,
)
from framelift.runtime.models.file import ModelSpec, read_spec


@pytest.fixture
def spec(nearest_model_path: Path) -> ModelSpec:
    return read_spec(nearest_model_path)


@pytest.mark.parametrize(
    ("text", "least", "usual", "most"),
    [
        ("270x480", (1, 270, 480), (1, 270, 480), (1, 270, 480)),
        ("2x270x480", (2, 270, 480), (2, 270, 480), (2, 270, 480)),
        ("1x90x160:1x270x480:4x540x960", (1, 90, 160), (1, 270, 480), (4, 540, 960)),
        ("90x160:270x480:540×960", (1, 90, 160), (1, 270, 480), (1, 540, 960)),
        (" 90x160 : 2x90x160 : 2x90x160", (1, 90, 160), (2, 90, 160), (2, 90, 160)),
    ],
)
def test_parse(
    text: str, least: tuple[int, ...], usual: tuple[int, ...], most: tuple[int, ...]
) -> None:
    profile = parse_profile(text)
    assert (profile.least, profile.usual, profile.most) == (least, usual, most)
    assert parse_profile(str(profile)) == profile


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is not a size; write HxW"),
        ("480p", "'480p' is not a size"),
        ("270x", "'270x' is not a size"),
        ("3x3x3x3", "is not a size"),
        ("-1x4x4", "is not a size"),
        ("90x160:270x480", "has 2 parts"),
        ("1x1:2x2:3x3:4x4", "has 4 parts"),
        ("0x160", "every number must be at least 1"),
        ("90x160:270x120:540x960", "the width is 160 at least, 120 usually and 960 at most"),
        ("4x90x160:90x160:540x960", "the batch is 4 at least, 1 usually"),
    ],
)
def test_what_is_no_profile(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_profile(text)


def test_covers_every_size_between() -> None:
    profile = parse_profile("1x90x160:1x270x480:4x540x960")
    assert profile.covers(FrameShape(1, 90, 160))
    assert profile.covers(FrameShape(4, 540, 960))
    assert not profile.covers(FrameShape(5, 270, 480))
    assert not profile.covers(FrameShape(1, 89, 480))
    assert not profile.covers(FrameShape(1, 270, 961))


@pytest.mark.parametrize(
    ("profile", "frames", "part"),
    [
        ("9x9", 1, 1),
        ("9x9", 5, 1),
        ("1x9x9:1x9x9:4x9x9", 1, 1),
        ("1x9x9:1x9x9:4x9x9", 7, 4),  # and a part of 3
        ("4x9x9", 8, 4),
        ("4x9x9", 3, 0),
        ("4x9x9", 6, 0),  # a part of 2 would be left
        ("2x9x9:2x9x9:4x9x9", 5, 3),  # 4 would leave 1, 3 leaves 2
        ("8x8", 1, 0),
    ],
)
def test_part_leaves_no_rest_that_cannot_be_run(profile: str, frames: int, part: int) -> None:
    assert parse_profile(profile).part(FrameShape(frames, 9, 9)) == part


def test_profile_of_another_size_than_a_fixed_model_takes(spec: ModelSpec) -> None:
    small = replace(spec, frame_shape=(1, 48, 64))
    check_profile(parse_profile("48x64"), small)
    with pytest.raises(ConfigError, match="takes a height of 48 only"):
        check_profile(parse_profile("50x64"), small)
    with pytest.raises(ConfigError, match="takes a batch of 1 only"):
        check_profile(parse_profile("48x64:48x64:2x48x64"), small)


def test_profile_off_the_size_multiple(spec: ModelSpec) -> None:
    even = replace(spec, size_multiple=2)
    check_profile(parse_profile("48x64:48x66:50x66"), even)
    with pytest.raises(ConfigError, match="49x66 is not a multiple of 2"):
        check_profile(parse_profile("48x64:49x66:50x66"), even)


def test_profile_below_the_smallest_frame_that_a_model_takes(spec: ModelSpec) -> None:
    style = replace(spec, size_multiple=4, minimum_side=10)
    check_profile(parse_profile("12x16"), style)
    with pytest.raises(ConfigError, match=r"8x16 is less than 10 pixels a side, the least"):
        check_profile(parse_profile("8x16:12x16:24x24"), style)
    seen = frozenset({FrameShape(1, 16, 64)})
    profile = profile_for(FrameShape(1, 20, 20), seen, style)
    assert profile.least == (1, 12, 12)
    check_profile(profile, style)


def test_profile_beyond_what_tensorrt_addresses(spec: ModelSpec) -> None:
    with pytest.raises(ConfigError, match=r"more than 2\^31 values"):
        check_profile(parse_profile("8192x8192"), spec)


def test_first_size_gets_an_engine_of_its_own(spec: ModelSpec) -> None:
    shape = FrameShape(1, 270, 480)
    assert profile_for(shape, frozenset(), spec) == fixed(shape)


def test_changing_sizes_get_one_engine_for_all(spec: ModelSpec) -> None:
    even = replace(spec, size_multiple=4)
    first, second = FrameShape(1, 272, 480), FrameShape(1, 360, 640)
    profile = profile_for(second, frozenset({first}), even)
    assert profile == ShapeProfile(FrameShape(1, 136, 240), second, FrameShape(1, 452, 800))
    assert profile.covers(first)
    check_profile(profile, even)
    tiny = profile_for(FrameShape(1, 4, 4), frozenset({first}), even)
    assert tiny.least == (1, 4, 4)
