"""A rule's source as an entry of a BibTeX file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from neurorules.language.rules import ARXIV, DOI

INITIAL = re.compile(r"\b\w\.")


def bibtex_of(rule: str, source: Mapping[str, Any]) -> str:
    """Write a source as a BibTeX entry.

    Args:
        rule: its name, which ends the key.
        source: `authors`, `year`, `title` and `link`, as a `language.rules.Source` has them.

    Returns:
        One entry, of type `misc`: a source names no journal.
    """
    authors = _authors(source["authors"])
    family = re.split(r"[,\s]", _family(authors[0]))[0]
    fields = {"author": " and ".join(authors), "title": f"{{{source['title']}}}", "year": str(source["year"])}
    link = source["link"]
    if link.startswith(DOI):
        fields["doi"] = link.removeprefix(DOI)
    if link.startswith(ARXIV):
        fields |= {"eprint": link.removeprefix(ARXIV), "archiveprefix": "arXiv"}
    if link:
        fields["url"] = link
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@misc{{{family.lower()}{source['year']}{rule},\n{lines}\n}}"


def short_name(source: Mapping[str, Any]) -> str:
    """A source as it is named within a sentence, such as "Bellec et al. 2020".

    Args:
        source: its `authors` and `year`.

    Returns:
        The family names of at most two authors, and the year.
    """
    first, *others = [_family(name) for name in _authors(source["authors"])]
    more = " et al." if len(others) > 1 or others == ["others"] else "".join(f" & {name}" for name in others)
    return f"{first}{more} {source['year']}"


def _family(name: str) -> str:
    """The family name of an author: what is left without initials."""
    return " ".join(word for word in name.partition(",")[0].split() if not word.endswith("."))


def _authors(text: str) -> list[str]:
    """Authors one by one: a comma separates names with initials, and elsewhere a family name from a given name."""
    people = text.removesuffix(" et al.")
    names = people.split(", ") if INITIAL.search(people) else [people]
    return [*names, "others"] if text.endswith(" et al.") else names
