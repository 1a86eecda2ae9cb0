"""How far a video is and how long it will take, on the standard error output."""

from __future__ import annotations

from collections.abc import Callable

from ...common.progress import Progress
from .stats import PipelineStats

Listener = Callable[[int, int | None, float], None]
"""Takes the frames written, those of the whole clip if known, and frames per second."""
_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """Tell `listener` as well how far all videos of this process are, shown or not."""
    _listeners.append(listener)


class VideoProgress(Progress):
    """Frames per second and time left. Call it with the statistics of the pipeline."""

    def __init__(self, name: str, total: int | None, *, quiet: bool = False) -> None:
        super().__init__(
            name,
            total,
            quiet=quiet,
            unit=" frames",
            dynamic_ncols=True,
            bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} [{rate_noinv_fmt}, ETA {remaining}]",
        )
        self._name = name

    def __call__(self, stats: PipelineStats) -> None:
        """Show the state."""
        for listener in _listeners:
            listener(stats.frames_written, self._total, stats.fps)
        self.show(stats.frames_written, lambda: self._line(stats))

    def _line(self, stats: PipelineStats) -> str:
        of, eta = "", ""
        if self._total:
            of = f"/{self._total}"
            if stats.fps > 0:
                left = max(0, self._total - stats.frames_written) / stats.fps
                eta = f", {left:.0f} s left"
        return f"{self._name}: {stats.frames_written}{of} frames, {stats.fps:.1f} fps{eta}"
