"""`framelift bench`: how fast, how well and how near to the machine's limits, as reports."""

from __future__ import annotations

import click

from .pictures import flicker, footage, quality
from .reports import compare, everything, render
from .speed import espcn, latency, overhead, stream
from .training import train
from .videos import realtime, reuse, video


@click.group()
def bench() -> None:
    """Measure latency, quality and throughput. MODEL is the name of a bundled model or an .onnx
    file."""


for _command in (
    latency,
    overhead,
    espcn,
    realtime,
    quality,
    video,
    footage,
    flicker,
    reuse,
    stream,
    train,
    everything,
    render,
    compare,
):
    bench.add_command(_command)
