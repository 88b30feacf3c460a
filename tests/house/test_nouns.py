"""Names are nouns: a participle such as `found` or `told` says what happened to a thing, and not what the thing is."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from sources import ROOT, Source, sources

PARTICIPLES = {
    "asked", "bought", "found", "gathered", "given", "kept", "known", "lingering", "made", "seen", "settled", "told",
}  # fmt: skip
"""Words that stood for dozens of things each."""
OF_PUBLIC_NAMES = PARTICIPLES | {"arrived", "brought", "held", "said", "taken"}
"""Words that may stand in a function for the thing of a line before, and say nothing where others read them."""
SENTENCE = 5
"""Number of words from which on a name is a sentence, as those of checks and tests are."""
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


def public_names(source: Source) -> Iterator[tuple[int, str]]:
    """The line and the name of all that other files read: the module, its functions and classes, methods and fields."""
    if not any(part.startswith("_") for part in source.module.split(".")):
        yield 1, source.module.rpartition(".")[2]
    for node in ast.walk(source.tree):
        body = node.body if isinstance(node, ast.Module | ast.ClassDef) else []
        for one in body:
            match one:
                case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    yield one.lineno, name
                case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                    yield one.lineno, name
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def is_participle(name: str) -> bool:
    """Whether a public name ends in a participle, such as `third_factor_known`. Names of checks are sentences."""
    words = name.lower().split("_")
    return bool(words[0]) and len(words) < SENTENCE and words[-1] in OF_PUBLIC_NAMES


def test_no_public_name_ends_in_a_participle() -> None:
    places = [
        f"{source.name}:{line} {name}"
        for source in sources()
        for line, name in public_names(source)
        if is_participle(name)
    ]
    assert not places, places


def test_public_names_of_every_kind_are_looked_at() -> None:
    text = (
        "class Held:\n    seen: int\n    said = 1\n    def known(self): self.brought = 1\n"
        "def rows_asked(found): told = 1\nTAKEN = 1\n_kept = 2\n"
    )
    source = Source(ROOT / "neurorules" / "kept.py")
    source.__dict__["text"] = text
    names = {name for _, name in public_names(source)}
    assert names == {"kept", "Held", "seen", "said", "known", "brought", "rows_asked", "TAKEN", "_kept"}
    assert {name for name in names if not is_participle(name)} == {"_kept"}


def test_names_of_every_kind_are_looked_at() -> None:
    """A name is seen wherever Python can bind it."""
    text = (
        "import found\nfrom a import b as made\ndef told(asked): self.given = 1\nclass settled: kept = 1\n"
        "for known in (): pass\n"
    )
    assert {name for _, name in bound_names(ast.parse(text))} == {
        "found", "made", "told", "asked", "given", "settled", "kept", "known"
    }  # fmt: skip
