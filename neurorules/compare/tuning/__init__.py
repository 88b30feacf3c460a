"""`tune`: it chooses settings for each rule of a comparison, by validation samples and with an equal budget."""

from neurorules.compare.tuning.search import tune
from neurorules.compare.tuning.stored import TUNE_FILE

__all__ = ["TUNE_FILE", "tune"]
