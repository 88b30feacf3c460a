"""Questions to a new process, which takes nothing from the caller except the entries of registries, and its answers."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from neurorules.audit.answering import COPIES, Answering
from neurorules.language.errors import UserError
from neurorules.language.own_files import listed, take_all
from neurorules.language.registry import Registry

FILES = "files"
"""The key, in a question, of the files that the user registered in the calling process."""
MODULES = "modules"
"""The key, in a question, of the registry entries of the calling process, by kind."""


@dataclass
class _Current:
    """The current server process, and the number of open blocks of `one_process` that use it."""

    process: Answering | None = None
    blocks: int = 0

    def end(self) -> None:
        if self.process is not None:
            self.process.close()
        self.process = None


_current = _Current()


@contextmanager
def one_process() -> Iterator[None]:
    """Use a single new process for all questions inside the block; it answers each in a copy of itself."""
    _current.blocks += 1
    try:
        yield
    finally:
        _current.blocks -= 1
        if not _current.blocks:
            _current.end()


def modules_of(registries: Mapping[str, Registry]) -> dict[str, dict[str, str]]:
    """All registry entries of this process by kind, including those of other packages or of a test."""
    return {kind: registry.modules for kind, registry in registries.items()}


def ask(module: str, question: Mapping[str, Any], failure: str) -> Any:
    """Run `answer()` of a module in a new process with one thread.

    Args:
        module: dotted name of the module, whose function `answer` calls `read_question` and `give`.
        question: the question, which is sent as JSON.
        failure: the beginning of the error message if the process ends early.

    Returns:
        The answer, parsed from JSON.

    Raises:
        UserError: the process ended early; the message contains its last line.
    """
    files = {name: str(path) for name, path in listed().items()}
    if _current.process is not None and _current.process.owner != os.getpid():
        _current.process = None  # a copy of the process that started the server must not read that one's answers
    if _current.process is None or _current.process.ended:
        _current.end()
        _current.process = Answering()
    stays = False
    try:
        printed = _current.process.ask(module, json.dumps({FILES: files, **question}))
        stays = _current.blocks > 0 and COPIES
    finally:
        if not stays:
            _current.end()
    if not printed.whole:
        raise UserError(f"{failure}: {(printed.err.strip().splitlines() or ['no word'])[-1]}")
    return json.loads(printed.out.splitlines()[-1])


def read_question(registries: Mapping[str, Registry]) -> dict[str, Any]:
    """In the new process: add the caller's entries to the registries, and return the question.

    Args:
        registries: registries by kind.

    Returns:
        The question that was passed to `ask`.
    """
    question: dict[str, Any] = json.load(sys.stdin)
    take_all(question[FILES])
    for kind, modules in question[MODULES].items():
        registries[kind].modules.update(modules)
    return question


def give(answer: Any) -> None:
    """In the new process: print the answer as the last line, even after output without a line break."""
    print()
    print(json.dumps(answer), flush=True)
