"""The URL of an SRT target: nothing of it is left out without a word."""

from __future__ import annotations

import pytest

from framelift.runtime.live.targets.srt import parse_url


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("srt://host:9000", {}),
        ("srt://host:9000?passphrase=0123456789", {"passphrase": "0123456789"}),
        (
            "srt://host:9000?streamid=#!::r=x,m=publish&passphrase=0123456789",
            {"streamid": "#!::r=x,m=publish", "passphrase": "0123456789"},
        ),
        ("srt://host:9000?mode=listener&latency=80000", {"mode": "listener", "latency": "80000"}),
    ],
)
def test_all_of_a_url(url: str, options: dict[str, str]) -> None:
    assert parse_url(url) == ("host", 9000, options)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("srt://host", "name a port"),
        ("srt://host:99999", "name a port from 1 to 65535"),
        ("srt://host:word", "name a port"),
        ("srt://host:9000?latency=abc", "latency needs a number of microseconds"),
        ("srt://host:9000?passphrase=", "passphrase needs a value"),
        ("srt://host:9000?pasphrase=0123456789", "pasphrase is not an option: use mode"),
        ("srt://host:9000?mode=both", "mode is caller or listener"),
    ],
)
def test_urls_that_cannot_be_meant(url: str, message: str) -> None:
    with pytest.raises(OSError, match=message):
        parse_url(url)
