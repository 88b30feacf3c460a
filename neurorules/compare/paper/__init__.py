"""The material that a paper takes from a comparison: its tables and charts as files, references, and a paragraph on the
methods.
"""

from neurorules.compare.paper.kit import write_paper

__all__ = ["write_paper"]
