"""Memory of the processor's backend stays what the largest frame needs, whatever sizes come."""

from __future__ import annotations

import sys

import pytest

from framelift.benchmarks.process.memory import changing_sizes, measure_memory
from framelift.runtime.backends.cpu.saturation import has_vnni

SIZES = list(changing_sizes((480, 270), 20))

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
vnni = pytest.mark.skipif(not has_vnni(), reason="elsewhere the first convolution takes more")


@linux
@vnni
@pytest.mark.parametrize(
    "model", ["realtime-small-x4-int8", "realtime-small-x2-int8", "realtime-medium-x2-int8"]
)
def test_int8_does_not_grow_with_sizes(model: str) -> None:
    """The first convolution once took memory that depended on each size, and so did the last one
    of x2, which grew by an eighth; buffers were kept for each of two sizes."""
    grown = measure_memory(model, SIZES)
    assert grown[0] > 4 << 20
    assert max(grown) <= 1.05 * grown[0]


@linux
@vnni
@pytest.mark.parametrize("scale", [2, 4])
def test_int8_takes_no_more_than_fp32(scale: int) -> None:
    fp32, int8 = (
        measure_memory(name, SIZES[:1])[0]
        for name in (f"realtime-small-x{scale}", f"realtime-small-x{scale}-int8")
    )
    assert int8 <= 0.6 * fp32


def test_sizes_all_differ_and_none_is_larger_than_the_first() -> None:
    sizes = list(changing_sizes((480, 270), 40))
    assert len(set(sizes)) == 41
    assert all(width <= 480 and height <= 270 for width, height in sizes)
