"""Image libraries write nothing to the terminal by themselves, and nothing of others is lost."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from framelift.common.libraries.native_output import native_output_caught

from ...support.faulty_images import odd_profile, picture, restart_marks


@pytest.mark.parametrize(
    ("make", "told", "damaged"),
    [
        (odd_profile, "libpng warning: iCCP", False),
        (restart_marks, "Corrupt JPEG data", True),
        (lambda: picture(".png"), "", False),
    ],
)
def test_what_libraries_tell_is_kept(
    capfd: pytest.CaptureFixture[str], make: Callable[[], bytes], told: str, damaged: bool
) -> None:
    data = np.frombuffer(make(), np.uint8)
    with native_output_caught() as caught:
        assert cv2.imdecode(data, cv2.IMREAD_COLOR) is not None
    assert capfd.readouterr().err == ""
    assert [line[: len(told)] for line in caught.lines] == ([told] if told else [])
    assert caught.tells_of_damage == damaged


def test_what_others_write_meanwhile_is_not_lost(capfd: pytest.CaptureFixture[str]) -> None:
    sys.stderr.write("before\n")
    with native_output_caught() as caught:
        os.write(2, b"libpng warning: x\nof another\n")
        thread = threading.Thread(target=lambda: os.write(2, b"of a thread\n"))
        thread.start()
        thread.join()
    sys.stderr.write("after\n")
    assert capfd.readouterr().err == "before\nof another\nof a thread\nafter\n"
    assert caught.lines == ["libpng warning: x"]


def test_an_error_inside_puts_the_output_back(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        os.write(2, b"libpng error: bad\n")
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"), native_output_caught():
        fail()
    os.write(2, b"seen\n")
    assert capfd.readouterr().err == "seen\n"


def test_a_closed_standard_error_is_no_error(tmp_path: Path) -> None:
    kept = os.dup(2)
    os.close(2)
    try:
        with native_output_caught() as caught:
            pass
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    assert caught.lines == []


def test_a_damaged_webp_prints_nothing(tmp_path: Path) -> None:
    whole = io.BytesIO()
    Image.effect_noise((64, 48), 40).convert("RGB").save(whole, "WEBP")
    cut = tmp_path / "cut.webp"
    cut.write_bytes(whole.getvalue()[:500])
    code = (
        "import sys; from pathlib import Path; from framelift.common.images import read_image\n"
        "try: read_image(Path(sys.argv[1]), say=print)\n"
        "except Exception as error: print(type(error).__name__)"
    )
    child = subprocess.run(
        [sys.executable, "-c", code, str(cut)], capture_output=True, text=True, check=True
    )
    assert (child.stdout, child.stderr) == ("InputError\n", "")
