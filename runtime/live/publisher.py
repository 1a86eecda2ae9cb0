"""`python -m framelift.runtime.live.publisher URL FORMAT`: the child side of `stream_sink`.

Sends the NUT stream on its standard input to a server. In a process of its own because FFmpeg has
no time limit for servers that accept and then say nothing, and holds up the whole interpreter.
"""

from __future__ import annotations

import sys

import av

READY = "ready"


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


def main(argv: list[str]) -> None:
    url, format_ = argv
    try:
        publish(url, format_)
    except (av.FFmpegError, OSError) as error:
        sys.stderr.write(f"{error.strerror or type(error).__name__}\n")
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
