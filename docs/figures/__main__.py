"""`python docs/figures` writes every figure of README.md and docs/ again from the stored results; `--check` only looks.

It exits with 1 where a page differed from what is stored, or shows a number that nothing vouches for.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmark_pages import benchmark_pages
from constants import with_constants
from pages import Prose, unvouched, with_sentences, with_tables
from stored import FOLDER, FigureError, opened

ROOT = FOLDER.parents[2]


def pages() -> list[Path]:
    """The pages that show figures among their text."""
    found = [*sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs/results").glob("*.md"))]
    return [ROOT / "README.md", *(path for path in found if path not in benchmark_pages(ROOT))]


def main(arguments: list[str]) -> int:
    """Write or check all pages; 0 where they are right."""
    parser = argparse.ArgumentParser(prog="python docs/figures", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail where a page differs")
    check = parser.parse_args(arguments).check
    prose = json.loads((FOLDER / "prose.json").read_text(encoding="utf-8"))
    faults: list[str] = []
    for path in pages():
        name = path.relative_to(ROOT).as_posix()
        listed = Prose.of(prose.get(name, {}))
        text = path.read_text(encoding="utf-8")
        try:
            made = with_sentences(name, with_tables(name, with_constants(text)), listed)
            faults += unvouched(name, made, listed)
        except FigureError as error:
            faults.append(str(error))
            continue
        faults += settled(path, text, made, check)
    whole = benchmark_pages(ROOT)
    for path, made in whole.items():
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        faults += settled(path, text, made, check)
    unused = sorted({path.stem for path in FOLDER.glob("*.json")} - {"prose", *opened(), *(p.stem for p in whole)})
    faults += [
        f"docs/results/data/{name}.json: no page shows these results. Show them, or remove the file" for name in unused
    ]
    print("\n".join(faults), file=sys.stderr, end="\n" if faults else "")
    return 1 if faults else 0


def settled(path: Path, text: str, made: str, check: bool) -> list[str]:
    """Write a page whose text is not what the stored results make of it, or with `check` say where it differs."""
    name = path.relative_to(ROOT).as_posix()
    if made == text:
        return []
    if check:
        return differing(name, text, made)
    path.write_text(made, encoding="utf-8")
    print(f"{name}: written again")
    return []


def differing(page: str, text: str, made: str) -> list[str]:
    """The first line of a page that is not what the stored results say."""
    lines = zip(text.splitlines(), made.splitlines(), strict=False)
    for number, (shown, right) in enumerate(lines, 1):
        if shown != right:
            return [f"{page}:{number}: shows\n    {shown}\nand the stored results say\n    {right}\nRun: make figures"]
    return [f"{page}: ends otherwise than the stored results say. Run: make figures"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
