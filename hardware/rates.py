"""What the GPU can do at most, by PyTorch: matrices of random values, and copies."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import torch

_SECONDS = 0.6


def matrix_rate(device: torch.device, kind: torch.dtype, side: int) -> float:
    """Operations per second of a product of square matrices, the best of several."""
    left, right = (torch.randn(side, side, device=device).to(kind) for _ in range(2))
    return 2 * side**3 / _best_seconds(device, lambda: torch.mm(left, right))


def copy_rates(device: torch.device, size_bytes: int) -> Iterator[tuple[str, float]]:
    """Bytes per second: within the device (read and written count), to it and from it."""
    source, target = (torch.empty(size_bytes, dtype=torch.uint8, device=device) for _ in range(2))
    source.fill_(1)
    yield "within", 2 * size_bytes / _best_seconds(device, lambda: target.copy_(source))
    if device.type != "cuda":
        return
    host = torch.empty(size_bytes, dtype=torch.uint8, pin_memory=True)
    yield "to it", size_bytes / _best_seconds(device, lambda: target.copy_(host, non_blocking=True))
    yield (
        "from it",
        size_bytes / _best_seconds(device, lambda: host.copy_(target, non_blocking=True)),
    )


def _best_seconds(device: torch.device, call: Callable[[], object]) -> float:
    """The shortest of the calls made in a moment, after three to warm up."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    for _ in range(3):
        call()
    wait()
    best, until = float("inf"), time.perf_counter() + _SECONDS
    while time.perf_counter() < until:
        started = time.perf_counter()
        call()
        wait()
        best = min(best, time.perf_counter() - started)
    return best
