"""The lists of deliberate breaks, and the round that runs them (`make mutants`)."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from mutant_list import LISTS, Mutant, read_list, read_lists
from sources import ROOT

MUTANTS = read_lists()


@pytest.mark.parametrize("subject", sorted({mutant.subject for mutant in MUTANTS}))
def test_a_break_still_has_its_place(subject: str) -> None:
    for mutant in (mutant for mutant in MUTANTS if mutant.subject == subject):
        assert mutant.applied(ROOT) != (ROOT / mutant.file).read_text(encoding="utf-8"), mutant
        for test in mutant.tests:
            assert (ROOT / test.partition("::")[0]).exists(), f"{mutant}: there is no test {test}"


def test_no_break_is_listed_twice() -> None:
    places = Counter((mutant.file, mutant.old, mutant.new) for mutant in MUTANTS)
    assert not [place for place, times in places.items() if times > 1]
    assert not [text for text, times in Counter(map(str, MUTANTS)).items() if times > 1]


def test_an_entry_says_all_that_it_must(tmp_path: Path) -> None:
    whole = 'file = "a.py"\nold = "1"\nnew = "2"\nbreaks = "one is two"\ntests = ["t.py"]\n'
    (tmp_path / "good.toml").write_text(f"[[mutant]]\n{whole}")
    assert read_list(tmp_path / "good.toml") == [Mutant("good", "a.py", "1", "2", "one is two", ("t.py",))]
    for wrong in (whole.replace('new = "2"', ""), whole.replace('"2"', '"1"'), whole + 'why = "x"\n'):
        (tmp_path / "bad.toml").write_text(f"[[mutant]]\n{wrong}")
        with pytest.raises(ValueError, match="one is two"):
            read_list(tmp_path / "bad.toml")


TREE = {
    "adder.py": "def add(a, b):\n    return a + b + 0\n",
    "test_adder.py": "from adder import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n",
    "tests/test_zero.py": "from adder import add\n\n\ndef test_zero():\n    assert add(0, -1) == -1\n",
}
BREAKS = {
    "a difference": ("a + b", "a - b", ""),
    "no sum": ("return a + b + 0", "return a + b + 0 if a else 0", ""),
    "zero twice": ("+ 0", "+ 0 + 0", "nought is nought"),
}


def tree(folder: Path, **changed: tuple[str, str, str]) -> Path:
    """A checkout with one function, its tests and breaks of it."""
    listed = "".join(
        f'[[mutant]]\nfile = "adder.py"\nold = "{old}"\nnew = "{new}"\nbreaks = "{breaks}"\n'
        + (f'equivalent = "{equivalent}"\n' if equivalent else "")
        for breaks, (old, new, equivalent) in {**BREAKS, **changed}.items()
    )
    for name, text in {**TREE, "tests/mutants/sums.toml": f'tests = ["test_adder.py"]\n{listed}'}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return folder


def played(root: Path, *options: str) -> tuple[int, str]:
    """A round over a tree, without the packages that tests of ours import."""
    code = "import sys, mutant_round; sys.exit(mutant_round.main(sys.argv[1:], warm=()))"
    command = [sys.executable, "-c", code, "--root", str(root), *options]
    done = subprocess.run(command, cwd=LISTS, capture_output=True, text=True, timeout=120, check=False)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def test_a_round_tells_caught_from_survived_and_leaves_the_tree_alone(tmp_path: Path) -> None:
    code, said = played(tree(tmp_path), "--jobs", "2")
    assert code == 1
    verdicts = {breaks: next(line for line in said.split("\n") if f"sums: {breaks}" in line) for breaks in BREAKS}
    assert verdicts["a difference"].startswith("caught") and "test_adder.py::test_add" in verdicts["a difference"]
    assert verdicts["no sum"].startswith("survived")
    assert verdicts["zero twice"].startswith("equivalent")
    assert "50.0% of those that are not equivalent are caught" in said
    assert {name: (tmp_path / name).read_text() for name in TREE} == TREE


def test_all_tests_see_what_the_named_ones_do_not(tmp_path: Path) -> None:
    code, said = played(tree(tmp_path), "--all", "--only", "no sum")
    assert code == 0 and "tests/test_zero.py::test_zero" in said and "1 caught of 1: 100.0%" in said


def test_a_stale_entry_or_a_tree_whose_tests_fail_stops_the_round(tmp_path: Path) -> None:
    code, said = played(tree(tmp_path, stale=("a * b", "a", "")))
    assert code == 2 and "the old text occurs 0 times in adder.py" in said
    tree(tmp_path)
    (tmp_path / "adder.py").write_text("def add(a, b):\n    return a + b + 0 + 1\n")
    code, said = played(tmp_path)
    assert code == 2 and "The tests fail on the tree as it is" in said


def test_a_break_that_is_caught_is_not_equivalent(tmp_path: Path) -> None:
    code, said = played(tree(tmp_path, double=("a + b", "a + b + b", "so they say")), "--only", "double")
    assert code == 1 and "not equivalent" in said
