"""The papers' tables, one paper a file. An entry is a function of `quick` that gives the `Paper`."""

from neurorules.language.registry import Registry

PAPERS = Registry("paper", "neurorules.papers.tables")
