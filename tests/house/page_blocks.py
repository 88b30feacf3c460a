"""The blocks of a page in Markdown that a reader may copy, and how they are run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

BLOCK = re.compile(
    r"(?P<skip><!-- no-run -->\s*\n)?^```(?P<language>bash|python)[^\n]*\n(?P<code>.*?)^```", re.M | re.S
)


class Block(NamedTuple):
    """A fenced block that a reader may copy."""

    language: str
    code: str


def blocks(text: str) -> list[Block]:
    """The blocks that run: of the languages bash and python, and not behind `<!-- no-run -->`."""
    return [Block(found["language"], found["code"]) for found in BLOCK.finditer(text) if not found["skip"]]


def run_page(page: Path) -> int:
    """Run the blocks of a page in order, in the current folder and in this process.

    Args:
        page: whose bash blocks hold nothing but calls of `neurorules`.

    Returns:
        How many commands and blocks of Python ran; each of them ended as it should.
    """
    from neurorules.cli import run

    names: dict[str, object] = {"__name__": "__main__"}
    count = 0
    for language, code in blocks(page.read_text(encoding="utf-8")):
        if language == "python":
            exec(compile(code, str(page), "exec"), names)
            count += 1
            continue
        for line in code.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            assert words and words[0] == "neurorules", f"{page.name}: {line}"
            assert run(words[1:]) == 0, f"{page.name}: {line}"
            count += 1
    return count
