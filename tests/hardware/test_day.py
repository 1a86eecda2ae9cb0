"""One failing part loses nothing of the others, whatever it does."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hardware import plan
from hardware.day import Day
from hardware.plan import REST, ROOT, Part, Settings, parts

from ..support.waiting import PATIENCE_S, wait_until
from .clock import Clock

ADD = "from hardware import results; results.add('fact', name={!r}, value=1)\n"


def part(name: str, code: str, *, group: str = "", limit_s: float = PATIENCE_S) -> Part:
    return Part(name, name.capitalize(), (sys.executable, "-c", code), group or name, limit_s)


def summary(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return document


def states(folder: Path) -> dict[str, str]:
    return {one["name"]: one["state"] for one in summary(folder)["parts"]}


def run_day(
    folder: Path, found: list[Part], *, seconds: float = 10 * PATIENCE_S
) -> tuple[int, list[str]]:
    said: list[str] = []
    code = Day(Settings(folder, seconds, dry_run=True), found, said.append).run()
    return code, said


def test_every_part_is_run_and_kept_whatever_the_others_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = tmp_path / "hangs.jsonl"
    clock = Clock(lambda: row.is_file() and row.stat().st_size > 0, PATIENCE_S)
    monkeypatch.setattr("hardware.process.time", clock)
    found = [
        part("good", ADD.format("a")),
        part("crashes", ADD.format("b") + "import os; os.abort()"),
        part("raises", ADD.format("c") + "raise RuntimeError('no GPU')"),
        part("hangs", ADD.format("d") + "import time; time.sleep(600)"),
        part("garbage", "import os; open(os.environ['FRAMELIFT_RESULTS'], 'wb').write(b'\\xff{')"),
        part(
            "half a row",
            ADD.format("e")
            + "import os; open(os.environ['FRAMELIFT_RESULTS'], 'a').write('{\"kind\": \"fa')",
        ),
        Part("missing", "Missing", ("no-such-program",), "missing", PATIENCE_S),
        part("floods", "print('x' * 5_000_000)"),
        part("last", ADD.format("f")),
    ]
    code, said = run_day(tmp_path, found)
    assert code == 1
    assert states(tmp_path) == {
        "good": "done",
        "crashes": "failed",
        "raises": "failed",
        "hangs": "out of time",
        "garbage": "done",
        "half a row": "done",
        "missing": "failed",
        "floods": "done",
        "last": "done",
    }
    document = summary(tmp_path)
    rows = {one["name"]: [row["name"] for row in one["rows"]] for one in document["parts"]}
    assert rows == {
        "good": ["a"],
        "crashes": ["b"],
        "raises": ["c"],
        "hangs": ["d"],
        "garbage": [],
        "half a row": ["e"],
        "missing": [],
        "floods": [],
        "last": ["f"],
    }
    assert document["parts"][2]["last_line"] == "RuntimeError: no GPU"
    assert "no-such-program" in document["parts"][6]["last_line"]
    text = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "| Raises | failed | " in text
    assert said[-1] == "not done: crashes, raises, hangs, missing; the others' results are kept"


def test_results_are_on_disk_while_the_next_part_runs(tmp_path: Path) -> None:
    look = (
        "import json; from pathlib import Path; from hardware import results\n"
        f"parts = json.loads(Path({str(tmp_path / 'summary.json')!r}).read_text())['parts']\n"
        "results.add('fact', name='seen', value=[[one['state'], one['rows']] for one in parts])"
    )
    run_day(tmp_path, [part("first", ADD.format("a")), part("second", look)])
    (seen,) = summary(tmp_path)["parts"][1]["rows"]
    assert seen["value"] == [["done", [{"kind": "fact", "name": "a", "value": 1}]], ["running", []]]


@pytest.mark.parametrize(
    ("number", "state", "code"),
    [
        (signal.SIGKILL, "running", -9),
        (signal.SIGTERM, "stopped", 143),
        (signal.SIGINT, "stopped", 130),
    ],
)
def test_what_came_before_survives_the_end_of_the_whole(
    tmp_path: Path, number: signal.Signals, state: str, code: int
) -> None:
    whole = (
        "import sys; from pathlib import Path\n"
        "from hardware.day import Day; from hardware.plan import Part, Settings\n"
        "def part(name, code): return Part(name, name, (sys.executable, '-c', code), name, 500)\n"
        f"first = part('first', {ADD.format('a')!r})\n"
        f"second = part('second', {ADD.format('b')!r} + 'import time; time.sleep(500)')\n"
        f"day = Day(Settings(Path({str(tmp_path)!r}), 1000), [first, second, first], print)\n"
        "sys.exit(day.run())"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", whole], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    rows = tmp_path / "second.jsonl"
    wait_until(lambda: rows.is_file() and rows.stat().st_size, "a row of the second part")
    child.send_signal(number)
    assert child.wait(PATIENCE_S) == code
    found = summary(tmp_path)["parts"]
    assert [one["state"] for one in found] == ["done", state, "waiting"]
    assert found[0]["rows"][0]["name"] == "a"
    if number != signal.SIGKILL:
        assert found[1]["rows"][0]["name"] == "b"
    else:  # its own file has it
        assert json.loads(rows.read_text(encoding="utf-8"))["name"] == "b"
        _end_orphans(tmp_path)


def _end_orphans(folder: Path) -> None:
    """What a killed run left behind."""
    for status in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"FRAMELIFT_RESULTS={folder}".encode() in status.read_bytes():
                os.kill(int(status.parent.name), signal.SIGKILL)
        except OSError:
            continue


def test_a_group_shares_its_time_and_the_last_part_takes_the_rest(tmp_path: Path) -> None:
    found = [
        part("quick", "", group="shared", limit_s=300),
        part("slow", "import time; time.sleep(1)", group="shared", limit_s=300),
        part("third", "", group="shared", limit_s=300),
        part("rest", "", limit_s=REST),
        part("none", "", limit_s=0.5),
    ]
    run_day(tmp_path, found, seconds=600)
    document = summary(tmp_path)
    limits = [one["limit_s"] for one in document["parts"]]
    quick, slow, third, *_ = (one["seconds"] for one in document["parts"])
    assert slow >= 1
    assert limits[0] == pytest.approx(100, abs=0.1)
    # What the quick one left is shared by the others.
    assert limits[1] == pytest.approx((300 - quick) / 2, abs=0.2)
    assert limits[2] == pytest.approx(300 - quick - slow, abs=0.3)
    # Of 600, what is left but for the time to end.
    assert 585 - document["seconds"] - 0.3 < limits[3] < 585 - quick - slow - third + 0.3
    assert states(tmp_path)["none"] == "no time left"


def test_a_full_disk_costs_the_account_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hardware.day.write_record", full)
    code, said = run_day(tmp_path, [part("good", ADD.format("a"))])
    assert code == 0
    assert any("No space left on device" in line for line in said)
    assert (tmp_path / "good.jsonl").is_file()


def test_the_order_is_the_issue_s_and_the_limits_fit(tmp_path: Path) -> None:
    found = parts(Settings(tmp_path, wheels=tmp_path))
    groups = list(dict.fromkeys(one.group for one in found))
    assert groups == [
        "packages",
        "environment",
        "tests",
        "latency",
        "video",
        "training",
        "zoo",
    ]
    limits = {one.group: one.limit_s for one in found if one.limit_s != REST}
    assert sum(limits.values()) < plan.TOTAL_SECONDS - 120  # the zoo gets something, too
    engines = [one.name for one in found if one.group == "latency"]
    assert engines[-1] == "latency-torch-compile-cuda"
    assert {"latency-ort-cuda", "latency-tensorrt", "latency-onnx-cuda"} <= set(engines)


def test_it_starts_where_neither_framelift_nor_any_package_is_installed() -> None:
    """As `make gpu` starts it: what is missing is unpacked later, from wheels."""
    (path,) = re.findall(r"PYTHONPATH=(\S+?)\$", (ROOT / "Makefile").read_text(encoding="utf-8"))
    started = subprocess.run(
        [sys.executable, "-S", "-m", "hardware", "--help"],
        env={**os.environ, "PYTHONPATH": path},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode == 0, started.stderr
    assert "usage: python -m hardware" in started.stdout


def test_every_gpu_backend_is_measured() -> None:
    from framelift.runtime.backends.select import BACKENDS

    on_gpu = {name for name, backend in BACKENDS.items() if backend.on_gpu}
    assert on_gpu <= set(plan.ENGINES)
