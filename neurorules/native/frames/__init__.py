"""Counts of events per recording, step, polarity and pixel: one pass over the events, several recordings at once."""

from .native import count, serves

__all__ = ["count", "serves"]
