"""Sends MPEG-TS by SRT, with the system's libsrt: PyAV's FFmpeg is built without it.

https://github.com/Haivision/srt, docs/API. The URL is that of FFmpeg: `srt://host:port`, with
`mode=caller` or `listener`, `latency` in microseconds, `passphrase`, `pbkeylen` and `streamid`.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import socket
import struct
import sys
from time import monotonic, sleep
from typing import Self
from urllib.parse import parse_qs, urlsplit

PACKET_BYTES = 1316
"""Seven packets of MPEG-TS, what a message of SRT holds in its live mode."""
_NAMES = ("srt", "srt-openssl", "srt-gnutls")
_SONAMES = ("libsrt.so.1.5", "libsrt-openssl.so.1.5", "libsrt-gnutls.so.1.5", "srt.dll")
_CONNECT_MS, _SEND_MS = 5000, 5000
_DRAIN_SECONDS = 3.0
_LATENCY_MS = 120
_OPTIONS = ("mode", "latency", "passphrase", "pbkeylen", "streamid")
_NUMBERS = {"latency": "a number of microseconds", "pbkeylen": "16, 24 or 32"}

# Of SRT_SOCKOPT in srt.h.
_SEND_TIMEOUT, _WAITING_DATA, _LATENCY = 13, 19, 23
_PASSPHRASE, _KEY_BYTES, _CONNECT_TIMEOUT, _STREAM_ID = 26, 27, 36, 46


class SrtOutput:
    """A file object for PyAV that sends what is written to it.

    Raises OSError: libsrt is not installed, or nobody answers.
    """

    def __init__(self, url: str) -> None:
        self._library = _load()
        host, port, options = parse_url(url)
        mode = options.get("mode", "caller")
        self._latency_ms = int(options.get("latency", _LATENCY_MS * 1000)) // 1000
        self._library.srt_startup()
        self._socket = self._library.srt_create_socket()
        try:
            self._set_options(options)
            name = _address(host, port, passive=mode == "listener")
            self._connect(name, listens=mode == "listener")
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._drain()
        self._end()

    def write(self, data: bytes) -> int:
        """Send all of it. Raises OSError: the other end hung up, or takes nothing."""
        for start in range(0, len(data), PACKET_BYTES):
            part = bytes(data[start : start + PACKET_BYTES])
            self._check(self._library.srt_send(self._socket, part, len(part)))
        return len(data)

    def _set_options(self, options: dict[str, str]) -> None:
        self._set_number(_CONNECT_TIMEOUT, _CONNECT_MS)
        self._set_number(_SEND_TIMEOUT, _SEND_MS)
        self._set_number(_LATENCY, self._latency_ms)
        if "pbkeylen" in options:
            self._set_number(_KEY_BYTES, int(options["pbkeylen"]))
        for option, key in ((_PASSPHRASE, "passphrase"), (_STREAM_ID, "streamid")):
            if key in options:
                text = options[key].encode()
                self._check(self._library.srt_setsockflag(self._socket, option, text, len(text)))

    def _set_number(self, option: int, value: int) -> None:
        number = ctypes.c_int(value)
        size = ctypes.sizeof(number)
        self._check(self._library.srt_setsockflag(self._socket, option, ctypes.byref(number), size))

    def _connect(self, name: bytes, *, listens: bool) -> None:
        library = self._library
        if not listens:
            self._check(library.srt_connect(self._socket, name, len(name)))
            return
        self._check(library.srt_bind(self._socket, name, len(name)))
        self._check(library.srt_listen(self._socket, 1))
        accepted = library.srt_accept(self._socket, None, None)
        self._check(accepted)
        library.srt_close(self._socket)
        self._socket = accepted

    def _drain(self) -> None:
        """Wait until all was sent and could be heard: closing throws the rest away."""
        waiting, size = ctypes.c_int(), ctypes.c_int(ctypes.sizeof(ctypes.c_int))
        deadline = monotonic() + _DRAIN_SECONDS
        while monotonic() < deadline:
            failed = self._library.srt_getsockflag(
                self._socket, _WAITING_DATA, ctypes.byref(waiting), ctypes.byref(size)
            )
            if failed or not waiting.value:
                break
            sleep(0.02)
        sleep(2 * self._latency_ms / 1000)

    def _check(self, result: int) -> None:
        if result == -1:
            raise OSError(0, self._library.srt_getlasterror_str().decode(errors="replace"))

    def _end(self) -> None:
        self._library.srt_close(self._socket)
        self._library.srt_cleanup()


def parse_url(url: str) -> tuple[str, int, dict[str, str]]:
    """Host, port and options. Raises OSError for a URL that cannot be meant as it is written.

    A `#` belongs to the options, of which `streamid=#!::r=name` is SRT's own form.
    """
    address, _, query = url.partition("?")
    options = {key: values[-1] for key, values in parse_qs(query, keep_blank_values=True).items()}
    for key, value in options.items():
        if key not in _OPTIONS:
            raise OSError(0, f"{key} is not an option: use {', '.join(_OPTIONS)}")
        if not value or (key in _NUMBERS and not (value.isascii() and value.isdigit())):
            raise OSError(0, f"{key} needs {_NUMBERS.get(key, 'a value')}")
    if options.get("mode", "caller") not in ("caller", "listener"):
        raise OSError(0, "mode is caller or listener")
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        port = None
    if not port:
        raise OSError(0, "name a port from 1 to 65535")
    return parts.hostname or "", port, options


def _load() -> ctypes.CDLL:
    found = [name for name in map(ctypes.util.find_library, _NAMES) if name]
    for name in (*found, *_SONAMES):
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.srt_getlasterror_str.restype = ctypes.c_char_p
        return library
    raise OSError(
        0, "SRT needs libsrt: install it, on Debian and Ubuntu with `apt install libsrt1.5-openssl`"
    )


def _address(host: str, port: int, *, passive: bool) -> bytes:
    """A sockaddr of C. Raises OSError: the host is unknown."""
    flags = socket.AI_PASSIVE if passive else 0
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_DGRAM, flags=flags)
    family, _, _, _, place = found[0]
    packed = socket.inet_pton(family, str(place[0]))
    if family == socket.AF_INET:
        body = struct.pack("!H4s8x", port, packed)
    else:
        body = struct.pack("!HI16s", port, 0, packed) + bytes(4)
    if sys.platform == "darwin":  # begins with its length
        return bytes([len(body) + 2, family]) + body
    return struct.pack("=H", family) + body
