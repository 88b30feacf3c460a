"""The tables of papers, one paper per file. The ENTRY of a file is a function of `quick` that gives the `Paper`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from neurorules.language.errors import unknown
from neurorules.language.registry import Registry

PAPERS = Registry("paper", "neurorules.papers.tables")


def tables_of(paper: str) -> Callable[..., Any]:
    """The ENTRY of a paper, whose name has hyphens where that of its file has underscores.

    Raises:
        UserError: there is no such paper; the message names the nearest one.
    """
    names = {name.replace("_", "-"): name for name in PAPERS.names()}
    word = paper.replace("_", "-")
    if word not in names:
        raise unknown("paper", paper, names)
    return PAPERS.factory(names[word])
