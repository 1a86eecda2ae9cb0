"""What the help says of codecs is what the encoders are."""

from __future__ import annotations

import re

import click
import pytest

from framelift.cli.bench.group import bench
from framelift.cli.upscale.command import upscale
from framelift.runtime.video.clip.colour_tags import TRANSFERS
from framelift.runtime.video.writing.codecs import ENCODERS
from framelift.runtime.video.writing.encoders import EncoderOptions


def helps(command: click.Command) -> dict[str, str]:
    return {
        option.name: option.help or ""
        for option in command.params
        if isinstance(option, click.Option) and option.name in ("codec", "crf", "preset")
    }


@pytest.mark.parametrize("command", [upscale, bench.commands["video"]])
def test_help_names_every_codec_and_its_quality(command: click.Command) -> None:
    said = helps(command)
    assert tuple(
        re.findall(r"[a-z0-9]*\d[a-z0-9-]*|hevc[a-z-]*|prores", said["codec"].partition(" [")[0])
    ) == tuple(ENCODERS)
    default = EncoderOptions()
    wanted = {
        name: encoder.default_crf
        for name, encoder in ENCODERS.items()
        if encoder.default_crf is not None and not encoder.is_hardware
    }
    assert (
        f"0 (best) to {default.encoder.worst_crf}; for av1 and vp9 to {ENCODERS['av1'].worst_crf}"
        in said["crf"]
    )
    named = "; ".join(
        f"{crf}" if name == default.codec_name else f"{name} {crf}" for name, crf in wanted.items()
    )
    assert f"[default: {named}]" in said["crf"]
    presets = default.encoder.presets
    assert f"{presets[0]} to {presets[-1]}" in said["preset"]


def test_help_names_what_can_be_assumed() -> None:
    (option,) = (option for option in upscale.params if option.name == "assume_transfer")
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == tuple(TRANSFERS)
