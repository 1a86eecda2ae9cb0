"""`python -m models.mix`: a checkpoint between two others, weight by weight.

A network that was fine-tuned for coded frames keeps more of what its start could do with clean ones
when a share of the start's weights is mixed in (Wortsman et al. 2022, "Robust fine-tuning of
zero-shot models").
"""

from __future__ import annotations

from pathlib import Path

import click

from framelift.common.errors import CheckpointError, ConfigError
from framelift.train.checkpoints.file import Checkpoint, load_checkpoint, save_checkpoint
from models.running import run


def mixed(start: Checkpoint, tuned: Checkpoint, share: float) -> Checkpoint:
    """`share` of the weights of `tuned`, the rest of `start`; the header is that of `tuned`.

    Raises:
        ConfigError: the share is not between 0 and 1.
        CheckpointError: the two are not of the same network.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"--share {share}: use a number from 0 to 1")
    if start.network_config != tuned.network_config:
        raise CheckpointError(
            f"the networks differ ({start.network_config} and {tuned.network_config}): only "
            "checkpoints of one network can be mixed"
        )
    weights = {
        name: (start.weights[name].lerp(weight, share) if weight.is_floating_point() else weight)
        for name, weight in tuned.weights.items()
    }
    return Checkpoint(tuned.network_config, weights, {**tuned.training, "share": share})


@click.command()
@click.argument("start", type=click.Path(path_type=Path))
@click.argument("tuned", type=click.Path(path_type=Path))
@click.option("--share", type=float, required=True, help="Share of TUNED, from 0 to 1.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The new checkpoint.")
def main(start: Path, tuned: Path, share: float, out: Path) -> None:
    """Mix the weights of START and of TUNED, which was trained from it."""
    save_checkpoint(out, mixed(load_checkpoint(start), load_checkpoint(tuned), share))


if __name__ == "__main__":
    run(main, "mix")
