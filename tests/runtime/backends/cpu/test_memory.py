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
def test_int8_takes_no_more_than_fp32_and_does_not_grow_with_sizes() -> None:
    """Before its first convolution was of groups of pixels, and buffers were kept for each of two
    sizes, int8 grew by an eighth here."""
    fp32, int8 = (
        measure_memory(name, SIZES) for name in ("realtime-small-x4", "realtime-small-x4-int8")
    )
    assert int8[-1] <= 1.1 * fp32[-1]
    for grown in (fp32, int8):
        assert grown[0] > 4 << 20
        assert max(grown) <= 1.05 * grown[0]


def test_sizes_all_differ_and_none_is_larger_than_the_first() -> None:
    sizes = list(changing_sizes((480, 270), 40))
    assert len(set(sizes)) == 41
    assert all(width <= 480 and height <= 270 for width, height in sizes)
