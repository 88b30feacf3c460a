"""Find the entry that a user names: by its name in a registry, by a module path, or by the path of a Python file."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from neurorules.conformance import SUITES, suite_of
from neurorules.conformance.suite import Entry, Suite, build
from neurorules.language.errors import RAISED, UserError, unknown
from neurorules.language.options import parse_named
from neurorules.language.own_file import KINDS, load
from neurorules.language.own_files import checked_path, is_path, standing_for
from neurorules.language.registry import entry_name


@contextmanager
def looked_up(text: str, kind: str | None = None) -> Iterator[Entry]:
    """Find the entry that a text names, and list it in its registry while the context lasts.

    Args:
        text: `NAME`, `KIND:NAME`, a dotted module path, or the path of a Python file; each may have options after
            colons, such as "lif:beta=0.5" or "./mine.py:tau=3".
        kind: kind of the entry, such as "neuron". None to infer it from the name, or from the result of ENTRY.

    Returns:
        A context manager that gives the entry.

    Raises:
        UserError: the kind, the name or an option is unknown, several kinds have the name, or the module is no entry.
    """
    if kind is not None:
        suite_of(kind)
    elif text.partition(":")[0] in SUITES and "=" not in text.partition(":")[2].partition(":")[0]:
        kind, _, text = text.partition(":")
    name, options = parse_named(text)
    behind = "".join(f":{key}={value}" for key, value in options.items())
    if _is_own_file(name):
        path = checked_path(name)
        module = load(path)
        suite = suite_of(kind) if kind else _suite_for(name, module, options)
        with _listed_file(suite, path):
            yield _checked(Entry(suite.registry, path.stem + behind))
    elif _is_module(name):
        with _importable(name) as dotted:
            module = _imported(name, dotted)
            suite = suite_of(kind) if kind else _suite_for(name, module, options)
            with _listed(suite, dotted) as listed:
                yield _checked(Entry(suite.registry, listed + behind))
    else:
        yield _checked(Entry(_suite_named(name, kind).registry, text))


def _is_own_file(name: str) -> bool:
    """Whether a text names a file that belongs to no package."""
    path = Path(name).expanduser()
    return is_path(name) and not (path.parent / "__init__.py").exists()


@contextmanager
def _listed_file(suite: Suite, path: Path) -> Iterator[None]:
    """List a file without a package while the context lasts.

    Raises:
        UserError: an installed entry has its name.
    """
    registry = suite.registry
    registry.check_free(path.stem, path)
    if registry.kind in KINDS:
        with standing_for({path.stem: path}):
            yield
        return
    registry.modules[path.stem] = str(path)
    try:
        yield
    finally:
        del registry.modules[path.stem]


def _is_module(name: str) -> bool:
    return is_path(name) or "." in name


def _checked(entry: Entry) -> Entry:
    entry.make()
    return entry


def _suite_named(name: str, kind: str | None) -> Suite:
    """Find the suite of the one registry that lists a name.

    Raises:
        UserError: no registry lists it, or several do.
    """
    word = name.replace("-", "_")
    if kind is not None:
        if word not in suite_of(kind).registry.modules:
            raise unknown(kind, name, suite_of(kind).registry.modules)
        return suite_of(kind)
    kinds = [kind for kind, suite in SUITES.items() if word in suite.registry.modules]
    if len(kinds) > 1:
        ways = " or ".join(f"{kind}:{name}" for kind in kinds)
        raise UserError(f"'{name}' is a word for {' and '.join(kinds)}. Write {ways}")
    if not kinds:
        names = {name for suite in SUITES.values() for name in suite.registry.modules}
        raise unknown("entry", name, names)
    return SUITES[kinds[0]]


@contextmanager
def _importable(name: str) -> Iterator[str]:
    """Give the dotted path of a module, and make its package importable while the context lasts.

    Raises:
        UserError: the file is missing, or it is no Python file.
    """
    if not is_path(name):
        root, dotted = Path.cwd(), name
    else:
        path = Path(name).expanduser().resolve()
        if not path.is_file() or path.suffix != ".py":
            raise UserError(f"there is no Python file {name}. Name the file of an entry, or its module path")
        root, parts = path.parent, [path.stem]
        while (root / "__init__.py").exists():
            parts.insert(0, root.name)
            root = root.parent
        dotted = ".".join(parts)
    before = list(sys.path)
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    try:
        yield dotted
    finally:
        sys.path[:] = before


def _imported(name: str, dotted: str) -> ModuleType:
    """Import a module, which must have an ENTRY.

    Raises:
        UserError: it cannot be imported, another module has its name, or it has no ENTRY.
    """
    try:
        module = importlib.import_module(dotted)
    except RAISED as error:
        line = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"module '{name}' does not import ({line}). Correct it, or check its path") from None
    if name.endswith(".py") and Path(module.__file__ or "").resolve() != Path(name).expanduser().resolve():
        raise UserError(f"'{dotted}' is the name of another module, {module.__file__}. Rename the file {name}")
    if not callable(getattr(module, "ENTRY", None)):
        raise UserError(f"module '{name}' has no ENTRY. Let ENTRY be the dataclass or function that makes the entry")
    return module


def _suite_for(name: str, module: ModuleType, options: Mapping[str, str]) -> Suite:
    """Find the suite of the one kind whose protocol the entry of a module fits.

    Raises:
        UserError: it fits no kind or several, or it does not take an option.
    """
    instance = build(f"module '{name}'", module.ENTRY, options, {})
    kinds = [kind for kind, suite in SUITES.items() if isinstance(instance, suite.protocol)]
    if len(kinds) > 1:
        kinds = [kind for kind in kinds if kind != "exporter"]  # All callable objects fit the protocol of exporters.
    if len(kinds) != 1:
        fits = f"fits {' and '.join(kinds)}" if kinds else "fits no kind"
        raise UserError(
            f"what the ENTRY of '{name}' makes, a {type(instance).__name__}, {fits}. "
            f"Say what it is: --kind {'|'.join(kinds or SUITES)}"
        )
    return SUITES[kinds[0]]


@contextmanager
def _listed(suite: Suite, dotted: str) -> Iterator[str]:
    """List a module in a registry while the context lasts, and give its name there.

    Raises:
        UserError: the registry lists another module under that name.
    """
    modules = suite.registry.modules
    listed = entry_name(dotted.rpartition(".")[2])
    other = modules.get(listed)
    if other is not None and other != dotted:
        raise UserError(
            f"'{listed}' is the {suite.registry.kind} of {other}, which is listed first. Give the module another name"
        )
    modules[listed] = dotted
    try:
        yield listed
    finally:
        if other is None:
            del modules[listed]
