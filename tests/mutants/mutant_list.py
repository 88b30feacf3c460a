"""Deliberate breaks of the product, each with the tests that must see it: what the TOML files beside this one hold.

A file is a subject. Its `tests`, if any, hold for entries that name none of their own:

    [[mutant]]
    file = "neurorules/torch_path/training/batches.py"
    old = "return np.random.default_rng((seed, epoch)).permutation(samples)"
    new = "return np.random.default_rng((seed, 0)).permutation(samples)"
    breaks = "every epoch has the same order"
    tests = ["tests/unit/test_batches.py"]

`old` occurs exactly once in the file. A break that no test can see carries `equivalent`, the reason why.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

LISTS = Path(__file__).parent
KEYS = {"file", "old", "new", "breaks", "tests", "equivalent"}


@dataclass(frozen=True)
class Mutant:
    """One break: in `file`, `old` becomes `new`; `breaks` says in a sentence what is wrong then.

    Args:
        subject: stem of the list that it stands in.
        tests: files or test ids, relative to the root, that must fail.
        equivalent: why no test can see it; "" where one must.
    """

    subject: str
    file: str
    old: str
    new: str
    breaks: str
    tests: tuple[str, ...]
    equivalent: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.breaks} ({self.file})"

    def applied(self, root: Path) -> str:
        """The file's text with the break in it.

        Raises:
            ValueError: the old text does not occur exactly once, so the list is stale.
        """
        path = root / self.file
        if not path.is_file():
            raise ValueError(f"there is no file {self.file}")
        text = path.read_text(encoding="utf-8")
        if (times := text.count(self.old)) != 1:
            raise ValueError(f"the old text occurs {times} times in {self.file}: {self.old!r}")
        return text.replace(self.old, self.new)

    def stale(self, root: Path) -> str:
        """Why the break cannot be made any more; "" where it can."""
        try:
            self.applied(root)
        except ValueError as error:
            return str(error)
        return ""


def read_list(path: Path) -> list[Mutant]:
    """The breaks of one file.

    Raises:
        ValueError: an entry lacks something, has a key of no meaning, or breaks nothing.
    """
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    mutants = []
    for entry in content["mutant"]:
        entry.setdefault("tests", content.get("tests", []))
        if wrong := KEYS - {"equivalent"} - entry.keys() or entry.keys() - KEYS:
            raise ValueError(f"{path.name}: {sorted(wrong)} in the entry {entry.get('breaks')!r}")
        if entry["old"] == entry["new"] or not (entry["tests"] and entry["breaks"]):
            raise ValueError(f"{path.name}: the entry {entry['breaks']!r} changes nothing, or names no tests")
        mutants.append(Mutant(path.stem, **{**entry, "tests": tuple(entry["tests"])}))
    return mutants


def read_lists(folder: Path = LISTS) -> list[Mutant]:
    """The breaks of all files, subject by subject."""
    return [mutant for path in sorted(folder.glob("*.toml")) for mutant in read_list(path)]
