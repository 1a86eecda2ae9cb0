"""What tests of the runtime share."""

from __future__ import annotations

import pytest

from framelift.runtime.video.clip.frame import Frame
from framelift.runtime.video.stats import PipelineStats


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The times of the frames that pipelines have written in this test, each once it is written."""
    times: list[int] = []
    wrote = PipelineStats.wrote

    def noting(stats: PipelineStats, frame: Frame, born: float, now: float) -> None:
        wrote(stats, frame, born, now)
        times.append(frame.pts)

    monkeypatch.setattr(PipelineStats, "wrote", noting)
    return times
