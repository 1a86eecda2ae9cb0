"""Exact reuse: what did not change since the last frame of a clip is not computed again."""

from .sequence import ReusingSequence

__all__ = ["ReusingSequence"]
