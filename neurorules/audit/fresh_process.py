"""A question to a fresh process, which holds nothing of the caller's but the entries of registries, and its answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from neurorules.language.errors import UserError
from neurorules.language.own_files import listed, take_all
from neurorules.language.registry import Registry

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
"""A process of several threads cannot be copied safely, and its sums may depend on their number."""
FILES = "files"
"""Key of a question under which the caller's files of the user's own stand."""
MODULES = "modules"
"""Key of a question under which the caller's entries stand, by kind of registry."""


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
    process = subprocess.run(
        [sys.executable, "-c", f"from {module} import answer; answer()"],
        input=json.dumps({FILES: {name: str(path) for name, path in listed().items()}, **question}),
        capture_output=True, text=True, env={**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    if process.returncode != 0:
        raise UserError(f"{failure}: {(process.stderr.strip().splitlines() or ['no word'])[-1]}")
    return json.loads(process.stdout.splitlines()[-1])


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
