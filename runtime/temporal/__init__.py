"""Models of several frames: a window that slides over a sequence, and where it must not look on."""

from .sequence import PendingFrame, Sequence, run_sequence

__all__ = ["PendingFrame", "Sequence", "run_sequence"]
