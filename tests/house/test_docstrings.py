"""Everything public says what it is, in a few lines."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from sources import Function, Source, sources

MOST_LINES = 30
FEWEST_WORDS = 5
COMMANDS = "neurorules/commands/"


class Definition(NamedTuple):
    """A class or function, and the class that it stands in, if it does."""

    source: Source
    node: Function | ast.ClassDef
    owner: ast.ClassDef | None

    @property
    def is_method(self) -> bool:
        """Whether it stands in a class."""
        return self.owner is not None


def definitions(source: Source) -> Iterator[Definition]:
    """Public classes, functions and methods; those inside a function or a private class belong to it alone."""

    def visit(owner: ast.Module | ast.ClassDef) -> Iterator[Definition]:
        for node in owner.body:
            if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
                yield Definition(source, node, owner if isinstance(owner, ast.ClassDef) else None)
                if isinstance(node, ast.ClassDef):
                    yield from visit(node)

    return visit(source.tree)


@cache
def classes() -> dict[str, list[ast.ClassDef]]:
    """All classes of the packages, by name."""
    named: dict[str, list[ast.ClassDef]] = {}
    for source in sources():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef):
                named.setdefault(node.name, []).append(node)
    return named


def above(owner: ast.ClassDef) -> Iterator[ast.ClassDef]:
    """The classes of the packages that a class is made of, and theirs."""
    for base in owner.bases:
        for found in classes().get(ast.unparse(base).partition("[")[0].rpartition(".")[2], []):
            if found is not owner:
                yield found
                yield from above(found)


def members(*owners: ast.ClassDef) -> dict[str, str]:
    """The docstrings of the methods and fields that classes define, by name; "" for one without."""
    docstrings: dict[str, str] = {}
    for node in (node for owner in reversed(owners) for node in owner.body):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                docstrings[name] = ast.get_docstring(node) or ""
            case ast.AnnAssign(target=ast.Name(id=name)):
                docstrings[name] = ""
    return docstrings


@cache
def protocols() -> list[dict[str, str]]:
    """The members of each protocol. A class implements one by having its members, without naming it."""
    every = [one for same in classes().values() for one in same]
    return [members(one) for one in every if "Protocol" in (ast.unparse(base).partition("[")[0] for base in one.bases)]


def is_documented_above(definition: Definition) -> bool:
    """Whether a method without a docstring has its contract in a class above its own, or in a protocol."""
    if definition.owner is None:
        return False
    name, bases = definition.node.name, list(above(definition.owner))
    own = members(definition.owner, *bases)
    contracts = [members(base) for base in bases] + [one for one in protocols() if one.keys() <= own.keys()]
    return any(contract.get(name) for contract in contracts)


def is_private(source: Source) -> bool:
    """Whether a module is of use only to those beside it."""
    return any(part.startswith("_") and part != "__main__" for part in source.module.split("."))


def test_every_module_says_what_it_is() -> None:
    silent = [source.name for source in sources() if source.text.strip() and not ast.get_docstring(source.tree)]
    assert not silent, silent


def test_everything_public_says_what_it_is() -> None:
    silent = [
        f"{source.name}:{node.lineno} {node.name}"
        for source in sources()
        if not is_private(source)
        for definition in definitions(source)
        if not ast.get_docstring(node := definition.node) and not is_documented_above(definition)
    ]
    assert not silent, silent


def test_sections_of_a_docstring_begin_at_its_margin_and_what_they_hold_is_indented() -> None:
    """A section that stands inside another one is read, and shown in the reference, as part of it."""
    wrong = []
    for source in sources():
        for node in ast.walk(source.tree):
            lines = (ast.get_docstring(node) or "").splitlines() if isinstance(node, Function | ast.ClassDef) else []
            for line, after in pairwise([*lines, ""]):
                if line.strip() in ("Args:", "Returns:", "Raises:") and (line != line.strip() or after[:1].strip()):
                    wrong.append(f"{source.name}:{node.lineno} {node.name}: {line.strip()}")
    assert not wrong, wrong


def test_no_docstring_is_longer_than_a_reader_wants() -> None:
    long = [
        f"{source.name}:{node.lineno} {node.name}: {count} lines"
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, Function | ast.ClassDef)
        if (count := len((ast.get_docstring(node) or "").split("\n"))) > MOST_LINES
    ]
    assert not long, long


Documented = Function | ast.ClassDef | ast.Module


@cache
def summaries() -> list[tuple[str, Documented, str]]:
    """The place of every module, class and function, private ones too, and the first sentence of its docstring."""
    rows = []
    for source in sources():
        for node in ast.walk(source.tree):
            if isinstance(node, Documented) and (text := ast.get_docstring(node)):
                sentence = re.split(r"(?<=\.)\s", " ".join(text.partition("\n\n")[0].split()))[0]
                rows.append((f"{source.name} {getattr(node, 'name', '')}: {sentence}", node, sentence))
    return rows


def test_every_docstring_begins_with_a_sentence_of_a_few_words() -> None:
    fragments = [
        place
        for place, node, sentence in summaries()
        if not isinstance(node, ast.Module) and len(sentence.split()) < FEWEST_WORDS
    ]
    assert not fragments, fragments


def test_docstrings_name_a_thing_or_an_act_before_they_explain_it() -> None:
    questions = [
        place
        for place, node, sentence in summaries()
        if sentence.startswith(("What ", "How ", "The same "))
        or (isinstance(node, ast.ClassDef) and sentence.startswith(("Where ", "When ", "Whether ", "Which ", "Who ")))
    ]
    assert not questions, questions


def notes() -> Iterator[tuple[str, str]]:
    """The place and the words of every note below a constant or a field."""
    for source in sources():
        bodies = (node.body for node in ast.walk(source.tree) if isinstance(node, ast.Module | ast.ClassDef))
        for one, after in ((one, after) for body in bodies for one, after in pairwise(body)):
            match one, after:
                case ast.Assign() | ast.AnnAssign(), ast.Expr(ast.Constant(str(text))):
                    yield f"{source.name}:{after.lineno} {text}", text


def stray_texts(tree: ast.Module) -> Iterator[int]:
    """The lines of texts that stand alone and document nothing: neither a docstring nor below a constant or a field."""
    for node in ast.walk(tree):
        is_docstring = isinstance(node, Documented)
        for body in (getattr(node, part, []) for part in ("body", "orelse", "finalbody")):
            for before, one in pairwise([None, *(body if isinstance(body, list) else [])]):
                match one:
                    case ast.Expr(ast.Constant(str() | bytes())):
                        is_note = isinstance(node, ast.Module | ast.ClassDef) and isinstance(
                            before, ast.Assign | ast.AnnAssign
                        )
                        if not (is_note or (is_docstring and before is None)):
                            yield one.lineno


def test_no_text_stands_alone() -> None:
    stray = [f"{source.name}:{line}" for source in sources() for line in stray_texts(source.tree)]
    assert not stray, stray
    text = 'A = 1\n"of A"\nif A:\n    A = 2\n"of nothing"\ndef f():\n    "docstring"\n    b = 1\n    "of nothing"\n'
    assert list(stray_texts(ast.parse(text))) == [5, 9]


def test_notes_below_constants_and_fields_are_no_fragments() -> None:
    fragments = [place for place, text in notes() if len(text.split()) < 4 or text.startswith(("Of ", "The same "))]
    assert not fragments, fragments


@cache
def options_with_help() -> set[str]:
    """Names of annotations of the command line that bring a help text, such as `Json`."""
    aliases = (node for source in sources() if source.name.startswith(COMMANDS) for node in source.tree.body)
    values = {ast.unparse(a.targets[0]): ast.unparse(a.value) for a in aliases if isinstance(a, ast.Assign)}
    return {name for name, value in values.items() if value.startswith("Annotated[") and "help=" in value}


def has_help(parameter: ast.arg) -> bool:
    """Whether the command line explains a parameter, in the help text of its option or argument."""
    annotation = "" if parameter.annotation is None else ast.unparse(parameter.annotation)
    return annotation in options_with_help() or (annotation.startswith("Annotated[") and "help=" in annotation)


def parameters_of(definition: Definition) -> list[str]:
    """Names of what a docstring has to explain: no option with a help text, and not the object or class of a method."""
    assert not isinstance(definition.node, ast.ClassDef)
    given = definition.node.args
    parameters = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    parameters += [a for a in (given.vararg, given.kwarg) if a is not None]
    named = [a.arg for a in parameters if not has_help(a)]
    return named[1:] if definition.is_method and named[:1] in (["self"], ["cls"]) else named


def gives_something(definition: Definition) -> bool:
    """Whether a function returns a value."""
    assert not isinstance(definition.node, ast.ClassDef)
    return definition.node.returns is not None and ast.unparse(definition.node.returns) not in ("None", "NoReturn")


def unexplained() -> list[str]:
    """Public functions of two parameters or more whose docstrings lack Args or Returns."""
    places = []
    for source in sources():
        if is_private(source):
            continue
        for definition in definitions(source):
            node = definition.node
            if isinstance(node, ast.ClassDef) or len(parameters_of(definition)) < 2:
                continue
            text = ast.get_docstring(node) or ""
            if not text and is_documented_above(definition):
                continue
            missing = [] if "Args:" in text else ["Args"]
            missing += (
                ["Returns"] if gives_something(definition) and not {"Returns:", "Yields:"} & set(text.split()) else []
            )
            if missing:
                places.append(f"{source.name}:{node.lineno} {node.name} lacks {' and '.join(missing)}")
    return places


def test_public_functions_of_two_parameters_or_more_explain_them_and_what_they_return() -> None:
    places = unexplained()
    assert not places, places
