"""Declares that its feedback moves, so that it would not count as fixed feedback; nothing ever moves it."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from neurorules.signals.dfa import DirectFeedback


@dataclass(frozen=True)
class SaysItMoves(DirectFeedback):
    needs = frozenset({"target", "output_error"})
    moves = MappingProxyType({"*.feedback": "said to follow the weights", "*.centre": "no such tensor"})


ENTRY = SaysItMoves
