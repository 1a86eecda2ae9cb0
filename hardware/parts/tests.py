"""The tests marked gpu, each written down as it ends.

python -m hardware.parts.tests
"""

from __future__ import annotations

import sys

import pytest

from .. import results
from ..plan import ROOT

_MOST_WORDS = 400


class Notes:
    """A plug-in of pytest that adds a row for each test as it starts and as it ends."""

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins."""
        results.add("started", test=nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A part of a test has ended: its preparation, itself, or what cleans up."""
        if report.when == "call" or report.outcome != "passed":
            why = ""
            if report.outcome != "passed":
                why = _reason(report)
            results.add(
                "test",
                test=report.nodeid,
                outcome=report.outcome,
                seconds=round(report.duration, 2),
                why=why,
            )

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file was read, which may lack a package."""
        if report.outcome == "failed":
            results.add(
                "test", test=report.nodeid, outcome="failed", seconds=0.0, why=_reason(report)
            )


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    text = report.longrepr
    if isinstance(text, tuple):  # of what is skipped: file, line, reason
        return str(text[2])
    lines = str(getattr(text, "reprcrash", None) or text or "").strip().splitlines()
    return " ".join(lines[-1:])[:_MOST_WORDS]


def main() -> int:
    """Run them; the exit code is pytest's."""
    files = [
        str(path)
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if "mark.gpu" in path.read_text(encoding="utf-8")
    ]
    options = [
        "-m",
        "gpu",
        "-q",
        "-p",
        "no:cacheprovider",
        "--continue-on-collection-errors",
        # Other releases of the libraries may warn of other things; this is about the GPU.
        "-W",
        "default",
    ]
    return int(pytest.main([*options, *files], [Notes()]))


if __name__ == "__main__":
    sys.exit(main())
