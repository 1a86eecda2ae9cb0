"""How fast training goes, as a share of what the device computes at most in bfloat16.

python -m hardware.parts.training DATA [--dry-run]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from framelift.common.errors import FrameliftError
from framelift.common.text import first_line
from framelift.train.distributed import Processes
from framelift.train.loop.start import choose_device, limit_threads, resolve
from framelift.train.loop.throughput import measure_throughput

from .. import results
from ..rates import matrix_rate

_PRESETS = ("realtime-small-x4", "realtime-medium-x4", "johnson-x4-pixel")
_SETTINGS = ("compute.amp=bf16", "compute.channels_last=true", "tensorboard=false")
_VARIANTS = (
    (),
    ("compute.compile=true",),
    ("data.batch=32",),
    ("data.batch=32", "compute.compile=true"),
)
_STEPS, _WARM_UP, _SIDE = 40, 10, 8192
_SMALL = ("data.crop=64", "data.batch=2")
_FEW_STEPS, _FEW_WARM_UP, _SMALL_SIDE = 2, 1, 128


def main(data: Path, dry_run: bool) -> int:
    """Measure presets and settings until the time is over."""
    device = choose_device("auto")
    limit_threads(None, Processes())
    peak = matrix_rate(device, torch.bfloat16, _SMALL_SIDE if dry_run else _SIDE)
    results.add("peak", device=str(device), bf16_per_second=peak)
    presets, variants = (_PRESETS[:1], _VARIANTS[:1]) if dry_run else (_PRESETS, _VARIANTS)
    failed = 0
    for preset in presets:
        for variant in variants:
            if results.seconds_left() < 5:
                return 1 if failed else 0
            settings = (*_SETTINGS, *(_SMALL if dry_run else ()), *variant)
            try:
                _measure(preset, settings, data, device, peak, dry_run)
            except (FrameliftError, RuntimeError) as error:
                failed += 1
                results.add("failed", preset=preset, settings=variant, reason=first_line(error))
    return 1 if failed else 0


def _measure(
    preset: str,
    settings: tuple[str, ...],
    data: Path,
    device: torch.device,
    peak: float,
    dry_run: bool,
) -> None:
    steps, warm_up = (_FEW_STEPS, _FEW_WARM_UP) if dry_run else (_STEPS, _WARM_UP)
    config = resolve(preset, [data], settings)
    plain = resolve(preset, [data], [*settings, "compute.compile=false"])
    operations = _operations(plain, device)
    speed = measure_throughput(config, device, steps, warm_up)
    per_second = operations * speed.images_per_s / config.data.batch
    shown = ", ".join(setting for setting in settings if setting not in _SETTINGS)
    results.add(
        "speed",
        preset=f"{preset} ({shown})" if shown else preset,
        device=str(device),
        settings=list(settings),
        images_per_s=speed.images_per_s,
        step_ms=speed.step_ms,
        data_wait_share=speed.data_wait_share,
        operations_per_step=operations,
        tflops=per_second / 1e12,
        share_of_peak=per_second / peak,
    )


def _operations(config: Any, device: torch.device) -> float:  # noqa: ANN401 - a TrainConfig
    """Multiplications and additions of a step, counted as PyTorch dispatches them."""
    with FlopCounterMode(display=False) as counter:
        measure_throughput(config, device, 1, 0)
    return float(counter.get_total_flops())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), "--dry-run" in sys.argv[2:]))
