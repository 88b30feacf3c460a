"""The tables of papers, one paper per file. The ENTRY of a file is a function of `quick` that gives the `Paper`."""

from neurorules.language.registry import Registry

PAPERS = Registry("paper", "neurorules.papers.tables")
