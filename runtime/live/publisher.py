"""`python -m framelift.runtime.live.publisher`: the child side of `stream_sink`.

Sends the NUT stream on its standard input to a server. The line before it says where to and as
what, as JSON: in a command line every user of the machine would see the password or key.

In a process of its own because FFmpeg has no time limit for servers that accept and then say
nothing, and holds up the whole interpreter.
"""

from __future__ import annotations

import json
import os
import sys

import av

READY = "ready"


def address(url: str, format_: str) -> bytes:
    """The line that goes before the stream."""
    return json.dumps([url, format_]).encode() + b"\n"


def read_address(descriptor: int) -> tuple[str, str]:
    """Take that line, and nothing of the stream behind it."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(descriptor, 1)
        if not byte:
            raise OSError(0, "nothing was sent")
        line += byte
    url, format_ = json.loads(line)
    return url, format_


def publish(url: str, format_: str) -> None:
    """Connect when the first data came, say so, then send it all."""
    with (
        av.open("pipe:0", options={"analyzeduration": "0"}) as source,
        av.open(url, "w", format=format_) as output,
    ):
        stream = output.add_stream_from_template(source.streams.video[0], opaque=True)
        output.start_encoding()
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                output.mux_one(packet)


def main() -> None:
    try:
        publish(*read_address(0))
    except (av.FFmpegError, OSError) as error:
        sys.stderr.write(f"{error.strerror or type(error).__name__}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
