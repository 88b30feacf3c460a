"""A question to a fresh process, which holds nothing of the caller's but the entries of registries, and its answer."""

from __future__ import annotations

import json
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
"""Key of a question under which the caller's files of the user's own stand."""
MODULES = "modules"
"""Key of a question under which the caller's entries stand, by kind of registry."""


@dataclass
class _Current:
    """The process that answers, and how many blocks of `one_process` want it to stay."""

    process: Answering | None = None
    blocks: int = 0

    def end(self) -> None:
        if self.process is not None:
            self.process.close()
        self.process = None


_current = _Current()


@contextmanager
def one_process() -> Iterator[None]:
    """Let one fresh process answer all questions that are asked inside the block, each in a copy of itself."""
    _current.blocks += 1
    try:
        yield
    finally:
        _current.blocks -= 1
        if not _current.blocks:
            _current.end()


def modules_of(registries: Mapping[str, Registry]) -> dict[str, dict[str, str]]:
    """The entries that this process knows, by kind: those of other packages, or of a test, among them."""
    return {kind: registry.modules for kind, registry in registries.items()}


def ask(module: str, question: Mapping[str, Any], failure: str) -> Any:
    """Let `answer()` of a module answer a question in a fresh process of one thread.

    Args:
        module: its dotted name; its function `answer` calls `read_question` and `give`.
        question: what it reads, in JSON.
        failure: the beginning of the error where the process ends early.

    Returns:
        What it answered.

    Raises:
        UserError: the process ended early; its last line says why.
    """
    files = {name: str(path) for name, path in listed().items()}
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
    """In the fresh process: the question, after its entries have been taken into the registries.

    Args:
        registries: by kind.

    Returns:
        The question, as `ask` was handed it.
    """
    question: dict[str, Any] = json.load(sys.stdin)
    take_all(question[FILES])
    for kind, modules in question[MODULES].items():
        registries[kind].modules.update(modules)
    return question


def give(answer: Any) -> None:
    """In the fresh process: print an answer as the last line; an entry may have printed without an end of line."""
    print()
    print(json.dumps(answer), flush=True)
