"""`python -m framelift.runtime.live.targets.publisher`: the child side of `stream_sink`.

Sends the NUT stream on its standard input to a server. The line before it says where to and as
what, as JSON: in a command line every user of the machine would see the password or key.

In a process of its own because FFmpeg has no time limit for servers that accept and then say
nothing, and holds up the whole interpreter.
"""

from __future__ import annotations

import json
import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import parse_qs

import av

CONNECTED, READY = "connected", "ready"
_OPTIONS = {"rtsp": {"rtsp_transport": "tcp"}}  # loses nothing and passes firewalls


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
    """Connect when the first data came, say so, then send it all.

    Where the other end connects to here, it is waited for before, and a line says so.
    """
    with ExitStack() as stack:
        output = None
        if waits_for_player(url):
            with _ended_with_parent():
                output = stack.enter_context(_opened(url, format_, stack))
            _say(CONNECTED)
        source = stack.enter_context(av.open("pipe:0", options={"analyzeduration": "0"}))
        if output is None:
            output = stack.enter_context(_opened(url, format_, stack))
        streams = [
            output.add_stream_from_template(stream, opaque=True) for stream in source.streams
        ]
        output.start_encoding()
        _say(READY)
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                output.mux_one(packet)


def waits_for_player(url: str) -> bool:
    """Whether an URL of SRT says that the other end connects to here."""
    address, _, query = url.partition("?")
    mode = parse_qs(query).get("mode", [""])[-1]
    return address.lower().startswith("srt:") and mode == "listener"


@contextmanager
def _ended_with_parent() -> Iterator[None]:
    """End this process if the one that started it ends, which keeps the standard input open."""
    done = threading.Event()

    def watch() -> None:
        poll = select.poll()
        poll.register(0, 0)  # that it is closed is always reported
        while not done.is_set():
            if poll.poll(200):
                os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    yield
    done.set()


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def _opened(url: str, format_: str, stack: ExitStack) -> av.container.OutputContainer:
    if url.lower().startswith("srt:"):
        from .srt import PACKET_BYTES, SrtOutput

        sender = stack.enter_context(SrtOutput(url))
        return av.open(sender, "w", format=format_, buffer_size=PACKET_BYTES)
    return av.open(url, "w", format=format_, options=_OPTIONS.get(format_, {}))


def main() -> None:
    try:
        publish(*read_address(0))
    except (av.FFmpegError, OSError) as error:
        sys.stderr.write(f"{error.strerror or type(error).__name__}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
