"""BibTeX of every rule of a comparison, once for each paper."""

from __future__ import annotations

from typing import NamedTuple

from neurorules.compare.report.reading import Comparison, Row
from neurorules.language.errors import UserError
from neurorules.runner.bibtex import bibtex_of
from neurorules.runner.catalogue import citation


class References(NamedTuple):
    """The papers of a comparison.

    Args:
        keys: by the name of a row, the key of its rule's paper.
        entries: by key, the entry in BibTeX.
        unknown: rules that are not installed here, whose paper cannot be looked up.
    """

    keys: dict[str, str]
    entries: dict[str, str]
    unknown: list[str]

    def text(self) -> str:
        """The content of a file of BibTeX."""
        left_out = [f"% {rule}: this rule is not installed here, so its paper is not known." for rule in self.unknown]
        return "\n\n".join([*left_out, *self.entries.values(), ""])


def references_of(comparison: Comparison) -> References:
    """The papers of all rows, controls too, in the order of the comparison."""
    references = References({}, {}, [])
    for row in comparison.rules:
        rule = plain_rule(comparison, row)
        try:
            source = citation(rule)
        except UserError:
            references.unknown.append(rule)
            continue
        entry = bibtex_of(source["rule"], source)
        key = entry.partition("{")[2].partition(",")[0]
        references.keys[row["rule"]] = key
        references.entries[key] = entry
    return references._replace(unknown=list(dict.fromkeys(references.unknown)))


def plain_rule(comparison: Comparison, row: Row) -> str:
    """The rule of a row.

    Args:
        comparison: whose runs tell it.
        row: the row of its rules.

    Returns:
        The text of the rule with its options, without settings of its training.
    """
    runs = (run.get("plain_rule") for run in comparison.runs if run["rule"] == row["rule"])
    return str(next((rule for rule in runs if rule), None) or str(row["rule"]).partition("@")[0].partition(",")[0])
