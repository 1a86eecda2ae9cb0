"""Passwords and stream keys in URLs: what of a URL may be printed."""

from __future__ import annotations

import re

# Cameras and services take these in the path, too: rtsp://host/user=me_password=secret_channel=1
_NAMED = re.compile(
    r"(pass(?:wd|word|phrase)?|pwd|token|key|secret)=(?:(?!_[^\W_]+=)[^&;/?#])*", re.IGNORECASE
)
_KEYED = ("rtmp", "rtmps")


def without_secrets(url: str) -> str:
    """The URL without a name and a password, also one that holds what should be escaped there.

    Left out as well are the values of a query, what is called a password, token or key in the path,
    and the last part of an RTMP path, which is the stream key of most services.
    """
    protocol, _, rest = url.partition("://")
    rest = _without_login(rest)
    rest, query, _ = rest.partition("?")
    rest = _NAMED.sub(r"\1=…", rest)
    if protocol.lower() in _KEYED and rest.count("/") > 1:
        rest = f"{rest.rpartition('/')[0]}/…"
    return f"{protocol}://{rest}{query and '?…'}"


def _without_login(rest: str) -> str:
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    port = authority.partition(":")[2]
    # "name:pass/word@host" and "name:pass#word@host", but neither "host:80/@a" nor "[::1]/@a"
    cut_off = port and not port.isdecimal() and not authority.startswith("[")
    if "@" in rest and ("@" in authority or cut_off):
        return rest.rpartition("@")[2]
    return rest
