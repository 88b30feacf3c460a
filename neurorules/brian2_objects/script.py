"""Writing a model as an independent Brian2 program, which a person can read, change and run."""

from __future__ import annotations

import inspect
import io
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from neurorules.brian2_objects import exact_alone
from neurorules.brian2_objects.exact import EXACT
from neurorules.brian2_objects.script_texts import IMPORTED, Parts, number, symbol_of
from neurorules.brian2_objects.specs import ModelSpec
from neurorules.language.errors import UserError
from neurorules.runs.atomic import write_bytes, write_text

WIDTH = 110
"""The largest number of characters in a line of a script's introduction."""
LEARNED = "learned"
"""The end of the name of the file that a script writes, which begins with the script's own name."""


@dataclass(frozen=True)
class Rounds:
    """A part of a script that runs the network several times.

    Args:
        start: statements before all runs.
        header: the line of the loop, such as "for start in range(0, 100, 50):".
        before: statements before each run, which set tables and values.
        after: statements after each run.
        goes_on: expression of the length of a run that continues the previous one; None if each run begins at rest and
            lasts `duration_ms`.
    """

    start: tuple[str, ...]
    header: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    goes_on: str | None = None


@dataclass(frozen=True)
class Script:
    """A Brian2 script, in its parts.

    Args:
        about: a description of the model, in paragraphs.
        model: its Brian2 objects.
        duration_ms: length of one run in ms.
        results: expressions of what the script saves when it ends, by name.
        arrays: arrays that its statements read, by name, as `stored["NAME"]`.
        notes: descriptions of variables, by name.
        shown: title of the part of tables.
        preparation: statements that prepare the values of tables.
        sources: expressions that replace values, by name of a table, or by "part.variable".
        functions: source text of functions that its statements call.
        rounds: the repeated runs; None for a single run.
        ending: statements after the last run.
    """

    about: tuple[str, ...]
    model: ModelSpec
    duration_ms: float
    results: Mapping[str, str]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    shown: str = "What is shown"
    preparation: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    functions: tuple[str, ...] = ()
    rounds: Rounds | None = None
    ending: tuple[str, ...] = ()


class Written(NamedTuple):
    """A script as text, and the arrays of the file beside it by name."""

    text: str
    arrays: dict[str, np.ndarray]


def write(script: Script) -> Written:
    """Write the text of a program, and the arrays of the file beside it.

    Args:
        script: the parts of the program.

    Returns:
        The program, which loads the arrays from a file that has its name with the ending .npz.
    """
    parts = Parts(script.model, script.notes, script.sources, dict(script.arrays))
    body = list(_body(script, parts))
    names = set(re.findall(r"\w+", "\n".join(body)))
    lines = [*_head(script, [one for one in IMPORTED if one in {*names, "prefs"}], bool(parts.arrays)), *body]
    return Written("\n".join(lines).rstrip("\n") + "\n", parts.arrays)


def save(written: Written, path: Path, force: bool) -> list[Path]:
    """Write a script and the file beside it.

    Args:
        written: the script.
        path: the path of the script; it ends with .py.
        force: replace existing files.

    Returns:
        The files that were written.

    Raises:
        UserError: the name has another ending, its folder does not exist, or a file exists and must not be replaced.
    """
    program, beside = check_script(path, force)
    if written.arrays:
        write_bytes(beside, _archive(written.arrays))
    write_text(program, written.text)
    return [program, beside] if written.arrays else [program]


def check_script(path: Path, force: bool) -> list[Path]:
    """Refuse a name for a script before any work is done.

    Args:
        path: the path of the script.
        force: whether existing files are replaced.

    Returns:
        The files that a script of that name consists of.

    Raises:
        UserError: see `save`.
    """
    if path.suffix != ".py":
        raise UserError(f"--script {path} is not the name of a Python program. Let it end in .py")
    if not path.parent.is_dir():
        raise UserError(f"--script {path}: there is no folder {path.parent}. Make it first")
    files = [path, path.with_suffix(".npz")]
    for file in files:
        if file.is_dir() or (file.exists() and not file.is_file()):
            raise UserError(f"--script {path}: {file} is not an ordinary file. Name another one")
        if file.exists() and not force:
            raise UserError(f"--script {path}: {file} exists. Name another file, or replace it with --force")
    return files


def _archive(arrays: Mapping[str, np.ndarray]) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, **dict(arrays))  # type: ignore[arg-type]
    return content.getvalue()


def _head(script: Script, imported: Sequence[str], stores: bool) -> Iterator[str]:
    first, *others = [filled.replace("\\", "/") for filled in map(_filled, script.about)]
    yield f'"""{first}'
    for paragraph in others:
        yield ""
        yield paragraph
    yield '"""'
    yield ""
    yield "from pathlib import Path"
    yield ""
    yield "import numpy as np"
    yield f"from brian2 import {', '.join(imported)}"
    yield ""
    yield 'prefs.codegen.target = "numpy"  # needs no compiler; "cython" compiles first, and is faster in long runs'
    if stores:
        yield 'stored = np.load(Path(__file__).with_suffix(".npz"))  # initial weights and what is shown'
    if any(group.method == EXACT for group in script.model.groups):
        for function in exact_alone.FUNCTIONS:
            yield from ("", "", *source_of(function).splitlines())
        yield ""
    for text in script.functions:
        yield from ("", "", *text.splitlines())
    if script.functions:
        yield ""


def _filled(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_on_hyphens=False, break_long_words=False)


def source_of(function: Callable[..., object]) -> str:
    """The source of a function as a script holds it: without annotations, and without the underscore of its name."""
    plain = re.sub(r"(: (?:Any|np\.ndarray|float|int)| -> [^:\n]+)(?=[,):=\s])", "", inspect.getsource(function))
    return re.sub(r"(?<!\w)_(?=[a-z]+\()", "", plain)


def _body(script: Script, parts: Parts) -> Iterator[str]:
    model = script.model
    yield from _title("Time")
    if model.seed is not None:
        yield f"seed({model.seed})"
    for key in model.clocks:
        yield from parts.clock(key)
    if model.tables or script.preparation:
        yield from _title(script.shown)
        yield from script.preparation
        for table in model.tables:
            yield from parts.table(table)
    for group in model.groups:
        yield from _title(f"Population {group.name}: {group.note or f'{group.size} units'}")
        yield from parts.group(group)
    for one in model.synapses:
        note = f": {one.note}" if one.note else ""
        yield from _title(f"Synapses {one.name}, from {one.source} to {one.target}{note}")
        yield from parts.synapses(one)
    if model.monitors:
        yield from _title("What is recorded")
        for monitor in model.monitors:
            yield from parts.monitor(monitor)
    yield from _network(model)
    yield from _run(script)
    yield from _title("What was learned")
    yield "learned = {"
    yield from (f'    "{name}": {expression},' for name, expression in script.results.items())
    yield "}"
    yield f'np.savez(Path(__file__).with_name(Path(__file__).stem + "_{LEARNED}.npz"), **learned)'
    yield from script.ending


def _network(model: ModelSpec) -> Iterator[str]:
    yield from _title("The network, and the slots of one step in their order")
    yield "network = Network("
    names = [one.name for one in model.groups] + [one.name for one in model.synapses]
    yield from (f"    {symbol_of(name)}," for name in (*names, *(one.name for one in model.monitors)))
    yield ")"
    yield "network.schedule = ["
    width = max(len(slot) for slot in model.schedule) + 3
    for slot, note in model.schedule.items():
        written = f'"{slot}",'
        yield f"    {written:<{width}}  # {note}" if note else f"    {written}"
    yield "]"


def _run(script: Script) -> Iterator[str]:
    rounds = script.rounds
    if rounds is None or rounds.goes_on is None:
        run = f"network.run({number(script.duration_ms)}*ms, namespace={{}})"
    else:
        run = f"network.run({rounds.goes_on}, namespace={{}})"
    if rounds is None:
        yield from _title("The run")
        yield run
        return
    lines: Sequence[str] = (*rounds.before, run, *rounds.after)
    if rounds.goes_on is None:
        yield from _title("The runs: each begins at rest, with the weights that the run before has left")
        yield from rounds.start
        yield "network.store()"
        again = [] if script.model.seed is None else [f"seed({script.model.seed})"]
        lines = ("network.restore()", *again, *lines)
    else:
        yield from _title("The runs: each goes on where the one before has ended, with other rows in the tables")
        yield from rounds.start
    yield rounds.header
    yield from (f"    {line}" for line in lines)


def _title(text: str) -> tuple[str, ...]:
    return "", "", f"# {text}"
