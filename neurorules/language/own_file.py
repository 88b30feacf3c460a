"""One Python file of the user's with a rule, signal or neuron: what its source text defines, and how to import it."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import inspect
import io
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from neurorules.language.errors import RAISED, UserError

KINDS = {"rule": "Rule", "signal": "Signal", "neuron": "Neuron"}
"""The kinds of parts that a file may define, each with the name of its type in `neurorules`."""
ENTRY, SIGNAL = "ENTRY", "SIGNAL"

_modules: dict[Path, tuple[str, ModuleType]] = {}


@dataclass(frozen=True)
class Offer:
    """The parts that a file defines, read from its source text without running it.

    Args:
        kinds: kinds of the parts. A file that cannot be read counts as a rule, so that using its name reports the
            error.
        unclear: whether the source text does not tell what ENTRY is.
        entries: numbers of the lines that assign ENTRY.
        candidates: functions and classes that could be the ENTRY, by name, with their kind.
    """

    kinds: frozenset[str]
    unclear: bool = False
    entries: tuple[int, ...] = ()
    candidates: tuple[tuple[str, str], ...] = ()


def text_of(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). Check the path and its permissions") from None


def digest_of(path: Path | str) -> str:
    """SHA-256 of a file's text, as hex digits.

    Raises:
        UserError: it cannot be read.
    """
    return hashlib.sha256(text_of(Path(path))).hexdigest()


def offer_of(path: Path) -> Offer:
    """Find out what a file defines from its source text; if the text does not tell what ENTRY is, run the file."""
    try:
        offer = _offer(path.read_bytes())
    except OSError:
        return Offer(frozenset({"rule"}))
    if not offer.unclear:
        return offer
    try:
        entry = load(path, offer).ENTRY
    except UserError:
        return replace(offer, kinds=offer.kinds | {"rule"})
    try:
        result = entry if inspect.isclass(entry) else get_type_hints(entry).get("return")
    except (NameError, TypeError):
        result = None
    result = get_args(result)[0] if get_origin(result) in (Union, UnionType) else result
    bases = {one.__name__ for one in getattr(get_origin(result) or result, "__mro__", ())}
    kind = next((kind for kind, name in KINDS.items() if name in bases), "rule")
    return replace(offer, kinds=offer.kinds | {kind})


@lru_cache(maxsize=256)
def _offer(text: bytes) -> Offer:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return Offer(frozenset({"rule"}))
    things = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    candidates = {name: kind for name, node in things.items() if (kind := _kind_of(node))}
    entries, kinds, unclear = [], set(), False
    for node in tree.body:
        names = _names_of(node)
        if ENTRY in names:
            entries.append(node.lineno)
            value = getattr(node, "value", None)
            kind = candidates.get(value.id if isinstance(value, ast.Name) else ENTRY)
            kinds |= {kind} if kind else set()
            unclear = unclear or kind is None
        if SIGNAL in names:
            kinds.add("signal")
    kinds = kinds if kinds or unclear else set(candidates.values())
    return Offer(frozenset(kinds), unclear, tuple(entries), tuple(candidates.items()))


def _names_of(node: ast.stmt) -> set[str]:
    """The names that a statement of a module binds, by assignment, definition or import."""
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    names = {one.id for target in targets if target for one in ast.walk(target) if isinstance(one, ast.Name)}
    if isinstance(node, ast.Import | ast.ImportFrom):
        names |= {alias.asname or alias.name for alias in node.names}
    return names | ({node.name} if isinstance(node, ast.FunctionDef | ast.ClassDef) else set())


def _kind_of(node: ast.FunctionDef | ast.ClassDef) -> str | None:
    """The kind of part that a function returns or a class is, from the last word of its annotation or its bases."""
    said = [node.returns] if isinstance(node, ast.FunctionDef) else node.bases
    words = {re.sub(r"\[.*", "", ast.unparse(one)).strip("'\"").rpartition(".")[2] for one in said if one is not None}
    return next((kind for kind, name in KINDS.items() if name in words), None)


def load(path: Path, offer: Offer | None = None) -> ModuleType:
    """Run a file as a module. It runs again only if its text has changed.

    Args:
        path: absolute path of the file.
        offer: what its text defines; None to read the text.

    Returns:
        The module; other modules cannot import it by name.

    Raises:
        UserError: the file cannot be read, has a syntax error (the message names the line), raises an error, prints, or
            has no usable ENTRY.
    """
    text = text_of(path)
    digest = hashlib.sha256(text).hexdigest()
    if path in _modules and _modules[path][0] == digest:
        return _modules[path][1]
    name = f"neurorules_own_file_{digest[:16]}"
    module = ModuleType(name)
    module.__file__ = str(path)
    try:
        code = compile(text, str(path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        where = "" if line is None else f", line {line}"
        raise UserError(f"{path}{where}: {getattr(error, 'msg', error)}. Correct it") from None
    printed = io.StringIO()
    sys.modules[name] = module  # dataclasses look up the module in which their annotations are written
    try:
        with contextlib.redirect_stdout(printed):
            exec(code, module.__dict__)
    except RAISED as error:
        sys.modules.pop(name, None)
        raise _complaint(error, path, "it is run") from None
    if printed.getvalue().strip():
        sys.modules.pop(name, None)
        first = printed.getvalue().strip().splitlines()[0]
        raise UserError(
            f"{path} prints '{first:.60}' when it is run, but standard output is reserved for results. Remove the print"
        )
    _check_entry(path, module, offer or _offer(text))
    _modules[path] = (digest, module)
    return module


def _check_entry(path: Path, module: ModuleType, offer: Offer) -> None:
    """Refuse a file without one clear ENTRY."""
    if len(offer.entries) > 1:
        first, second, *_ = offer.entries
        raise UserError(f"{path} assigns ENTRY in line {first} and in line {second}: a file is one entry. Keep one")
    entry = getattr(module, ENTRY, None)
    if callable(entry):
        return
    names = [name for name, _ in offer.candidates]
    if entry is not None:
        raise UserError(
            f"{path}: ENTRY is a {type(entry).__name__}. Let it be the one function that makes the rule, or the class "
            f"of the signal or neuron"
        )
    if len(names) > 1:
        raise UserError(f"{path} has no ENTRY, and could be {' or '.join(names)}. Say which: ENTRY = {names[0]}")
    hint = f"Add the line ENTRY = {names[0]}" if names else "Write one to start from: neurorules new rule NAME"
    raise UserError(f"{path} has no ENTRY: it offers no rule, signal or neuron. {hint}")


def entry_of(path: Path, kind: str) -> Callable[..., Any]:
    """The factory of the part in a file: its ENTRY, or the SIGNAL in the file of a rule.

    Args:
        path: the path of the file.
        kind: the kind of the part, such as "rule".

    Returns:
        The factory, which is called with the options of the part.

    Raises:
        UserError: as in `load`.
    """
    module = load(path)
    if kind == "signal" and SIGNAL in vars(module):
        return module.SIGNAL
    return module.ENTRY


def build_from(path: Path, kind: str, factory: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    """Call the factory of a user's file, and check its result (see `check_result`).

    Args:
        path: the path of the file.
        kind: the kind of the part.
        factory: the factory, as `entry_of` gives it.
        options: its arguments by name.

    Returns:
        The part.

    Raises:
        UserError: the factory raises an error, or returns something else.
    """
    try:
        value = factory(**options)
    except UserError:
        raise
    except RAISED as error:
        raise _complaint(error, path, f"the {kind} is built") from None
    check_result(path, kind, value)
    return value


def _complaint(error: BaseException, path: Path, when: str) -> UserError:
    """The one line for an error in a user's file: a UserError keeps its own line behind the place in the file."""
    place = f"{path}{_line_in(error, path)}"
    if isinstance(error, UserError):
        return UserError(f"{place}: {error}")
    return UserError(f"{place} raises {_said(error)} when {when}. Correct it")


def check_result(path: Path, kind: str, value: object) -> None:
    """Refuse the result of an ENTRY if it has the wrong kind, or is a rule with a name other than that of its file.

    Args:
        path: the path of the file.
        kind: the kind that was asked for.
        value: the result of ENTRY.

    Raises:
        UserError: the result has another kind, or the rule another name.
    """
    wanted = KINDS.get(kind)
    types = {(one.__module__.partition(".")[0], one.__name__) for one in type(value).__mro__}
    if wanted is not None and ("neurorules", wanted) not in types:
        raise UserError(f"{path} makes a {type(value).__name__}, and a {kind} is a {wanted}. Correct what ENTRY makes")
    name = getattr(value, "name", None)
    if kind == "rule" and name != path.stem:
        raise UserError(f"{path} makes a rule that is called '{name}'. A rule has the name of its file: '{path.stem}'")


def _line_in(error: BaseException, path: Path) -> str:
    """The last line of the file in the traceback of an error, as ", line 3"; empty if the file does not occur in it."""
    line, step = None, error.__traceback__
    while step is not None:
        line = step.tb_lineno if step.tb_frame.f_code.co_filename == str(path) else line
        step = step.tb_next
    return "" if line is None else f", line {line}"


def _said(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
