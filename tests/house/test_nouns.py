"""Names are nouns: a participle such as `found` or `told` says what happened to a thing, and not what the thing is."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from sources import sources

PARTICIPLES = {"asked", "found", "gathered", "given", "lingering", "made", "settled", "told"}
"""Words that stood for dozens of things each."""
OWN_WORDS = {"teacher"}
"""Words of this project's own for a thing that the field has a word for."""


def bound_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The line and the name of everything that a module binds: variables, fields, parameters, functions, classes."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case ast.alias(name=name, asname=other):
                yield node.lineno, other or name.rpartition(".")[2]
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield node.lineno, name


def test_no_name_is_a_participle_or_a_word_of_our_own() -> None:
    places = [
        f"{source.name}:{line} {name}"
        for source in sources()
        for line, name in bound_names(source.tree)
        if name.strip("_").lower() in PARTICIPLES | OWN_WORDS
    ]
    assert not places, places


def test_names_of_every_kind_are_looked_at() -> None:
    """A name is seen wherever Python can bind it."""
    text = (
        "import found\nfrom a import b as made\ndef told(asked): self.given = 1\nclass settled: kept = 1\n"
        "for known in (): pass\n"
    )
    assert {name for _, name in bound_names(ast.parse(text))} == {
        "found", "made", "told", "asked", "given", "settled", "kept", "known"
    }  # fmt: skip
