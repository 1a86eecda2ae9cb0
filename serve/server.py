"""Running the server until a signal stops it."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
from collections.abc import Iterator

import uvicorn

from ..common.errors import ConfigError, OutputError
from ..common.notes import Say
from ..common.signals import first_signal_stops
from ..web.server import cannot_listen
from .app import create_app
from .jobs.service import Service

_MOST_CONNECTIONS = 512
_SECONDS_TO_FINISH = 5


class _Server(uvicorn.Server):
    """Leaves signals to `serve`: the first one stops the server in order and is not a failure."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """Bind to the address; port 0 takes a free one. Raises ConfigError if it cannot be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = "not a host name" if isinstance(error, UnicodeError) else error.strerror
        raise ConfigError(f"--host {host}: no such address ({why})") from error
    try:
        if sys.platform != "win32":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(256)
    except OSError as error:
        bound.close()
        raise cannot_listen(host, port, str(error.strerror)) from error
    return bound


def serve(service: Service, bound: socket.socket, say: Say) -> None:
    """Answer requests on a bound socket until SIGINT, SIGTERM or SIGHUP."""
    _log_to_stderr()
    config = uvicorn.Config(
        create_app(service),
        log_config=None,
        access_log=False,
        ws="none",
        server_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_SECONDS_TO_FINISH,
    )
    server = _Server(config)

    def stop(name: str) -> None:
        server.handle_exit(0, None)
        unfinished = service.queue.unfinished
        jobs = "1 job goes" if unfinished == 1 else f"{unfinished} jobs go"
        kept = f"; {jobs} on when it starts again" if unfinished else ""
        say(f"stopping ({name}){kept}")

    with bound, first_signal_stops(stop):
        server.run([bound])
    if not server.started:
        raise OutputError("the server did not start; the lines above say why")


def _log_to_stderr() -> None:
    """Requests and what went wrong, one line each; uvicorn's own only if it is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for name, level in (("framelift.serve", logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(level)
        logger.propagate = False
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # clients' mistakes
