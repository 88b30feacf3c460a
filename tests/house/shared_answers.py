"""Answers of audits that all processes of one round of tests share: each is measured once."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class SharedAnswers(dict[str, Any]):
    """Takes the place of the cache of `neurorules.audit.fresh`, and keeps each answer in a file of a folder.

    Args:
        temporary: folder of the tests of this process; processes of one round of tests share the folder above it.
    """

    def __init__(self, temporary: Path) -> None:
        super().__init__()
        self.folder = (temporary.parent if "PYTEST_XDIST_WORKER" in os.environ else temporary) / "audits"
        self.folder.mkdir(exist_ok=True)

    def __contains__(self, question: object) -> bool:
        path = self._file(str(question))
        if not super().__contains__(question) and path.exists():
            self[str(question)] = json.loads(path.read_text(encoding="utf-8"))
        return super().__contains__(question)

    def update(self, answers: Iterable[tuple[str, Any]]) -> None:  # type: ignore[override]
        for question, answer in answers:
            self[question] = answer
            path = self._file(question)
            mine = path.with_suffix(f".{os.getpid()}")
            mine.write_text(json.dumps(answer), encoding="utf-8")
            mine.replace(path)

    def _file(self, question: str) -> Path:
        return self.folder / f"{hashlib.sha256(question.encode()).hexdigest()}.json"
