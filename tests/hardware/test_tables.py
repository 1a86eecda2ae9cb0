"""Accounts are shown whatever rows are in them."""

from __future__ import annotations

from pathlib import Path

from hardware.plan import Account, Part, Settings
from hardware.record import write_record
from hardware.results import read


def account(group: str, rows: list[dict[str, object]]) -> Account:
    return Account(Part(group, group, (), group, 1), "done", rows=rows)


def shown(tmp_path: Path, *accounts: Account) -> str:
    write_record(Settings(tmp_path), accounts, 1.0)
    return (tmp_path / "summary.md").read_text(encoding="utf-8")


def test_latencies_stand_beside_each_other(tmp_path: Path) -> None:
    def case(engine: str, model: str, p50: float, share: float = 1.0) -> dict[str, object]:
        return {
            "kind": "case",
            "engine": engine,
            "model": model,
            "p50_ms": p50,
            "size": "480×270",
            "agreement": {"share_within_1": share},
            "least_share": 0.999,
            "describe": "cuda_graph yes",
        }

    text = shown(
        tmp_path,
        account(
            "latency",
            [
                case("onnx-cuda", "small", 1.25),
                case("onnx-cuda", "medium", 2.5),
                case("ort-cuda", "small", 3.5, share=0.5),
                {"kind": "left out", "engine": "tensorrt", "reason": "not | installed"},
                {
                    "kind": "left out",
                    "engine": "ort-cuda",
                    "model": "medium",
                    "reason": "no memory",
                },
            ],
        ),
    )
    assert "| small | 1.250 | 3.500 (another image) |" in text
    assert "| medium | 2.500 |  |" in text
    assert "- tensorrt: not \\| installed" in text
    assert "- ort-cuda, medium: no memory" in text


def test_tests_are_counted_and_the_one_that_was_cut_off_is_named(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = []
    for name, outcome in (("a", "passed"), ("b", "skipped"), ("c", "failed")):
        rows += [
            {"kind": "started", "test": name},
            {"kind": "test", "test": name, "outcome": outcome, "seconds": 1, "why": f"why {name}"},
        ]
    text = shown(tmp_path, account("tests", [*rows, {"kind": "started", "test": "d"}]))
    assert "1 failed, 1 passed, 1 skipped" in text
    assert "cut off in `d`" in text
    assert "| c | failed | why c |" in text
    assert "- skipped 1: why b" in text


def test_an_odd_row_costs_its_table_alone(tmp_path: Path) -> None:
    good = account("environment", [{"kind": "fact", "name": "GPU", "value": "one | two"}])
    odd = account("training", [{"kind": "speed", "preset": "a"}])
    text = shown(tmp_path, odd, good)
    assert "cannot be shown (KeyError: 'device'); see summary.json" in text
    assert "| GPU | one \\| two |" in text


def test_rows_that_are_none_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b'{"kind": "a"}\n[1]\n{"b": 1}\n\xff\n{"kind": 3}\n{"kind": "c"}\n{"kind": "d')
    assert [row["kind"] for row in read(file)] == ["a", "c"]
    assert read(tmp_path / "none") == []
