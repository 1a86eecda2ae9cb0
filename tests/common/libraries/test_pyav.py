"""PyAV 18 and 19 give the same: tags byte for byte, ratios as fractions."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
from av.rational import AVRational

from framelift.common.libraries.pyav import exact, open_to_read, open_to_write, unit_of

TITLE = b"Caf\xe9 \x82"
"""Windows-1252 or DOS, which is no UTF-8."""


def test_tags_that_are_not_utf8_keep_their_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    with open_to_write(str(path)) as container:
        stream = container.add_stream("mpeg4", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        container.metadata["title"] = TITLE.decode("utf-8", "surrogateescape")
        container.mux(
            stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 32), np.uint8), "yuv420p"))
        )
        container.mux(stream.encode(None))
    assert TITLE in path.read_bytes()
    with open_to_read(str(path)) as again:
        assert again.metadata["title"].encode("utf-8", "surrogateescape") == TITLE
        (frame,) = again.decode(video=0)
        assert unit_of(again.streams.video[0]) == unit_of(frame) == Fraction(1, 25)


def test_ratios_are_fractions_or_none() -> None:
    third = exact(AVRational(1, 3))
    assert (third, type(third)) == (Fraction(1, 3), Fraction)
    assert exact(Fraction(30000, 1001)) == Fraction(30000, 1001)
    for unset in (None, AVRational(0, 1), AVRational(1, 0), Fraction(0)):
        assert exact(unset) is None
    assert unit_of(SimpleNamespace(time_base=None)) == Fraction(1, 1_000_000)
