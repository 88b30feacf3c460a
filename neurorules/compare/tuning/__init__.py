"""`tune`: chooses settings of training for each rule of a comparison, on validation samples, with an equal budget."""

from neurorules.compare.tuning.search import TUNE_FILE, tune

__all__ = ["TUNE_FILE", "tune"]
