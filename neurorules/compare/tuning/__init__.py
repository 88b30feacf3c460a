"""Searches for settings: every rule gets the same number of trials, and validation samples decide."""

from neurorules.compare.tuning.search import tune
from neurorules.compare.tuning.stored import TUNE_FILE

__all__ = ["TUNE_FILE", "tune"]
