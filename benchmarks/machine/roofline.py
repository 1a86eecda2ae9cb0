"""How near a latency comes to what the machine can do, and what holds it back.

Three times are derived from the counted work and the measured peaks:

- `arithmetic_ms`: all operations at the peak rate;
- `traffic_ms`: frames and weights moved once, the least there can be;
- `layers_ms`: operator by operator, the longer of its arithmetic and of moving its tensors, which
  is what an engine without fusion or caches could reach at best.

The limit is the longer of the first two. No implementation can be faster on this machine, unless it
computes less (Winograd convolutions do) or in a lower precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..shared.fields import Count
from ..shared.graph_cost import GraphCost
from .peaks import Peaks

Bound = Literal["arithmetic", "memory traffic", "overhead"]

_HALF = 0.5


@dataclass(frozen=True)
class Roofline:
    """The work of one call, and the least times for it in ms. `share_of_limit` is `limit_ms`
    divided by the measured median.
    """

    macs: Count
    operations: Count
    least_bytes: Count
    layer_bytes: Count
    arithmetic_ms: float
    traffic_ms: float
    layers_ms: float
    limit_ms: float
    share_of_limit: float
    reached_gops: float
    bound_by: Bound


def compare_with_peak(cost: GraphCost, peaks: Peaks, median_ms: float) -> Roofline:
    """Set a measured median beside the limits."""
    arithmetic_ms = 1000 * cost.operations / peaks.operations
    traffic_ms = 1000 * cost.least_bytes / peaks.copy_bytes
    layers_ms = 1000 * sum(
        max(node.operations / peaks.operations, node.bytes_moved / peaks.copy_bytes)
        for node in cost.nodes
    )
    limit_ms = max(arithmetic_ms, traffic_ms)
    return Roofline(
        macs=cost.macs,
        operations=cost.operations,
        least_bytes=cost.least_bytes,
        layer_bytes=cost.layer_bytes,
        arithmetic_ms=arithmetic_ms,
        traffic_ms=traffic_ms,
        layers_ms=layers_ms,
        limit_ms=limit_ms,
        share_of_limit=limit_ms / median_ms,
        reached_gops=cost.operations / median_ms / 1e6,
        bound_by=_bound_by(arithmetic_ms, layers_ms, median_ms),
    )


def _bound_by(arithmetic_ms: float, layers_ms: float, median_ms: float) -> Bound:
    """What at least half of the time is explained by; else the overhead around the work."""
    if arithmetic_ms >= _HALF * median_ms:
        return "arithmetic"
    if layers_ms >= _HALF * median_ms:
        return "arithmetic" if arithmetic_ms >= _HALF * layers_ms else "memory traffic"
    return "overhead"
