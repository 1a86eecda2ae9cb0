from __future__ import annotations

import pytest

from framelift.common.text import first_line, one_line, printable


@pytest.mark.parametrize(
    ("what", "most", "expected"),
    [
        (ValueError("cannot\n  load\tit "), None, "cannot load it"),
        (ValueError("cannot load it"), 6, "cannot"),
        (ValueError(" \n "), 6, "ValueError"),
        ("two\r\nlines", None, "two lines"),
        ("two  blanks.jpg", None, "two  blanks.jpg"),
        ("", None, ""),
    ],
)
def test_a_text_is_one_line(what: object, most: int | None, expected: str) -> None:
    assert one_line(what, most) == expected


@pytest.mark.parametrize(
    ("text", "most", "expected"),
    [
        ("\nCUDA failure 2 \nat line 3", None, "CUDA failure 2"),
        ("CUDA failure 2", 4, "CUDA"),
        ("", None, "RuntimeError"),
    ],
)
def test_the_first_line_of_an_error(text: str, most: int | None, expected: str) -> None:
    assert first_line(RuntimeError(text), most) == expected


def test_nothing_moves_the_cursor() -> None:
    assert printable("a\nb\x1b[31m.png") == "a\ufffdb\ufffd[31m.png"
    assert (
        printable("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u00fc.png").count("\ufffd")
        == 0
    )
