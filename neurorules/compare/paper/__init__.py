"""Material for a paper from a comparison: tables and charts as files, references, and a methods paragraph."""

from neurorules.compare.paper.kit import write_paper

__all__ = ["write_paper"]
