"""The way back from the maxima of windows of two by two positions: one pass over the maps."""

from .native import back, serves

__all__ = ["back", "serves"]
