"""How near models for perception are to coded clips, by features that no loss looked at.

python -m models.coded PARENT MODEL... --vgg vgg16.npz --clip CLIP...

Clips are reduced and coded by real encoders as for `framelift bench footage`; every eighth of its
frames is compared by `PerceptionMeter`. The first model is what the others are compared with.
`framelift bench footage` has PSNR and flicker of the same models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from framelift.benchmarks.quality.footage import (
    CODINGS,
    COUNT,
    FIRST,
    code_clip,
    name_of,
    read_clip,
)
from framelift.common.errors import ConfigError
from framelift.common.table import align
from framelift.imaging.coding import parse_coding
from framelift.imaging.quality import ImageU8, Trial, Upscale, shrink
from framelift.runtime import Upscaler

from .perception import Perception, PerceptionMeter
from .running import run

EVERY = 8


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="PARENT MODEL...")
@click.option("--vgg", required=True, metavar="FILE", help="VGG-16 up to relu4_3.")
@click.option(
    "--clip",
    "clips",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="A clip that no model was trained on; as often as you like.",
)
@click.option(
    "--coding", "codings", multiple=True, default=CODINGS, show_default=True, metavar="NAME:QUALITY"
)
def main(
    models: tuple[str, ...], vgg: str, clips: tuple[Path, ...], codings: tuple[str, ...]
) -> None:
    """Print a row for each model and coding."""
    meter = PerceptionMeter(vgg)
    with ExitStack() as stack:
        upscalers = [stack.enter_context(Upscaler.load(model)) for model in models]
        if len({upscaler.scale for upscaler in upscalers}) != 1:
            raise ConfigError("the models must have one scale")
        scale = upscalers[0].scale
        rows: list[Sequence[str]] = [
            ("model", "coding", *(f"{layer} nearer" for layer in meter.layers), "texture")
        ]
        originals = [read_clip(clip, FIRST + COUNT, scale) for clip in clips]
        for coding in [None, *map(parse_coding, codings)]:
            given = [
                code_clip(np.stack([shrink(frame, scale) for frame in frames]), coding)
                for frames in originals
            ]
            found = [meter(compared(upscaler, scale, originals, given)) for upscaler in upscalers]
            rows += [
                (name, name_of(coding), *nearer(one, found[0]), f"{one.texture:.3f}")
                for name, one in zip(models, found, strict=True)
            ]
    click.echo(align(rows))


def compared(
    upscale: Upscale,
    scale: int,
    originals: Sequence[Sequence[ImageU8]],
    given: Sequence[NDArray[np.uint8]],
) -> Iterator[Trial]:
    """What a model makes of every eighth frame of each clip."""
    for frames, small in zip(originals, given, strict=True):
        for number in range(min(FIRST, len(frames) - 1), len(frames), EVERY):
            yield Trial("", scale, frames[number], small[number], upscale(small[number]))


def nearer(one: Perception, parent: Perception) -> Iterator[str]:
    """The share by which each layer is nearer to the original than the parent's."""
    for layer, distance in one.distances.items():
        yield f"{1 - distance / parent.distances[layer]:.1%}"


if __name__ == "__main__":
    run(main, "coded")
