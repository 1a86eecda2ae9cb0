"""How much memory a loaded model takes on the processor while sizes of frames change. Linux only.

    python -m framelift.benchmarks.process.memory realtime-small-x4 realtime-small-x4-int8

prints for each model how the resident memory of a process grew since it was loaded: after the first
frame, the largest, and after 1, 15 and 40 frames of other sizes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence

_LARGEST = 480, 270
_SHOWN = 0, 1, 15, 40
_MOST_THREADS = 2

_CHILD = """
import sys
import numpy as np
from framelift.runtime import Upscaler

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

model, threads, *sizes = sys.argv[1:]
with Upscaler.load(model, "onnx-cpu", threads=int(threads)) as upscale:
    # Frames are in the same memory all the time: what grows is of the model.
    pairs = [tuple(map(int, size.split("x"))) for size in sizes]
    most = max(width * height for width, height in pairs) * 3
    frames, results = np.full(most, 99, np.uint8), np.full(most * upscale.scale ** 2, 1, np.uint8)
    loaded = resident()
    for width, height in pairs:
        count = height * width * 3
        frame = frames[:count].reshape(height, width, 3)
        big = results[: count * upscale.scale ** 2]
        upscale(frame, big.reshape(height * upscale.scale, width * upscale.scale, 3), grey=False)
        print(resident() - loaded, flush=True)
"""


def measure_memory(model: str, sizes: Sequence[tuple[int, int]], threads: int = 1) -> list[int]:
    """By how many bytes a process has grown since the model was loaded, after each frame.

    Args:
        model: the name of a bundled model, or an .onnx file.
        sizes: width and height of each frame.
        threads: of the model.

    Raises subprocess.CalledProcessError: the process failed.
    """
    texts = [f"{width}x{height}" for width, height in sizes]
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, model, str(threads), *texts],
        check=True,
        capture_output=True,
        text=True,
    )
    return [int(line) for line in done.stdout.split()]


def changing_sizes(largest: tuple[int, int], count: int) -> Iterator[tuple[int, int]]:
    """The largest size, and `count` others, each of which is new, small and large in turn."""
    yield largest
    width, height = largest
    for index in range(count):
        share = (1 + (index * 7) % count) / (count + 1)
        yield max(16, round(width * share)), max(16, round(height * share))


def main() -> None:
    """Print a line for each model."""
    sizes = list(changing_sizes(_LARGEST, _SHOWN[-1]))
    sys.stdout.write(f"MB after {_SHOWN[0]}, {', '.join(map(str, _SHOWN[1:]))} other sizes\n")
    for model in sys.argv[1:]:
        grown = measure_memory(model, sizes, _MOST_THREADS)
        cells = "".join(f"{grown[count] / 1e6:8.1f}" for count in _SHOWN)
        sys.stdout.write(f"{cells}  {model}\n")


if __name__ == "__main__":
    main()
