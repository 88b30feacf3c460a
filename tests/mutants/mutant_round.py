"""A mutation round: each break of the lists in turn, and whether the tests that it names see it.

    python tests/mutants/mutant_round.py --only exports --jobs 2

A copy of the tree takes one break at a time; its tests run in a fork of this process, which holds what tests import
from elsewhere, and nothing of the product. Ends with 1 when fewer than 95 % are caught, or when a break is caught that
is named equivalent; with 2 when an entry is stale, or when tests fail on the tree as it is.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path

from mutant_list import LISTS, Mutant, read_lists
from mutant_tree import copy_tree, write

ENOUGH = 0.95
SECONDS = 600.0
CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT)
WARM = ("brian2", "h5py", "hypothesis", "jaxtyping", "numpy", "safetensors", "scipy.stats", "sklearn.datasets",
        "snntorch", "torch", "typer")  # fmt: skip
Work = tuple[Mutant | None, tuple[str, ...]]
"""A break, or none, and the tests to run with it."""


@dataclass
class Job:
    """Tests under way in a copy of the tree."""

    work: Work
    copy: Path
    log: Path
    process: ForkProcess
    started: float

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return time.monotonic() - self.started

    def end(self) -> tuple[str, str]:
        """`caught`, `survived` or `error`; the first test that failed, or the last line of the output."""
        if self.process.is_alive():
            os.killpg(self.process.pid or 0, signal.SIGKILL)
            self.process.join()
            return "caught", "no end"
        log = self.log.read_text(encoding="utf-8", errors="replace").strip()
        failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", log, re.M)
        # A test must have failed, or its file cannot be imported any more; pytest may end for reasons of its own.
        if failed and self.process.exitcode in (1, 2):
            return "caught", failed[0]
        if -(self.process.exitcode or 0) in CRASHES:  # a break of C that writes where it must not
            return "caught", "a crash"
        return "error" if self.process.exitcode else "survived", log.rpartition("\n")[2]


def run_tests(copy: Path, log: Path, tests: Sequence[str]) -> None:
    """Run tests of a copy in this process, and end it with pytest's answer."""
    os.setsid()
    os.chdir(copy)
    os.environ["PYTHONPATH"] = str(copy)
    sys.path.insert(0, str(copy))
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    import pytest

    # Without the checks of shapes and types at every call: they would see more, and take several times as long.
    os.environ["NEURORULES_UNCHECKED"] = "1"
    # Plugins that are imported already keep their plain asserts, and Brian2 the log file from before the fork.
    warm = [
        word
        for name in ("AssertRewrite", "UnraisableException")
        for word in ("-W", f"ignore::pytest.Pytest{name}Warning")
    ]
    code = pytest.main(["-x", "-q", "-o", "addopts=", "-p", "no:cacheprovider", *warm, *tests])
    sys.stdout.flush()
    os._exit(int(code))


def run_all(root: Path, copies: Sequence[Path], todo: Sequence[Work]) -> Iterator[tuple[Job, str, str]]:
    """Jobs as they end, with their verdicts; as many at a time as there are copies."""
    waiting, free, running = list(todo), list(copies), list[Job]()
    while waiting or running:
        while waiting and free:
            mutant, tests = work = waiting.pop(0)
            copy = free.pop()
            if mutant is not None:
                write(copy / mutant.file, mutant.applied(copy))
            log = copy.with_suffix(".log")  # beside the copy, where its tests do not find it
            process = multiprocessing.get_context("fork").Process(target=run_tests, args=(copy, log, tests))
            process.start()
            running.append(Job(work, copy, log, process, time.monotonic()))
        wait([job.process.sentinel for job in running], timeout=1.0)
        for job in [job for job in running if not job.process.is_alive() or job.seconds > SECONDS]:
            yield job, *job.end()
            if mutant := job.work[0]:
                write(job.copy / mutant.file, (root / mutant.file).read_text(encoding="utf-8"))
            running.remove(job)
            free.append(job.copy)


def play(root: Path, mutants: Sequence[Mutant], jobs: int, baseline: bool, everything: bool) -> int:
    """Run a round and say how it went; the process's answer."""
    todo: list[Work] = [(m, (*m.tests, "tests") if everything else m.tests) for m in mutants]
    if baseline:
        todo.insert(0, (None, tuple(sorted({test for mutant in mutants for test in mutant.tests}))))
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copies = [copy_tree(root, Path(folder) / f"copy{number}") for number in range(jobs)]
        for job, verdict, why in run_all(root, copies, todo):
            mutant = job.work[0]
            if mutant is None and verdict != "survived":
                print(f"The tests fail on the tree as it is, so they tell nothing: {why}")
                return 2
            if mutant is None:
                continue
            if mutant.equivalent:
                verdict = "equivalent" if verdict == "survived" else "not equivalent"
            counts[mutant.subject, verdict] += 1
            print(f"{verdict:<16}{mutant}  [{why}, {job.seconds:.0f} s]", flush=True)
    total = Counter[str]()
    for (subject, verdict), count in sorted(counts.items()):
        print(f"{subject:<16}{verdict:<16}{count}")
        total[verdict] += count
    real = total["caught"] + total["survived"] + total["error"]
    print(", ".join(f"{count} {verdict}" for verdict, count in total.items()), f"of {len(mutants)}", end="")
    print(f": {total['caught'] / max(real, 1):.1%} of those that are not equivalent are caught")
    return int(total["caught"] < ENOUGH * real or total["error"] + total["not equivalent"] > 0)


def main(arguments: Sequence[str] | None = None, warm: Sequence[str] = WARM) -> int:
    """Read the command line and run a round."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", help="entries with this text in subject, sentence or file; repeat")
    parser.add_argument("--jobs", type=int, default=1, help="tests that run side by side")
    parser.add_argument("--no-baseline", action="store_true", help="trust that the tests pass without a break")
    parser.add_argument("--all", action="store_true", help="run every test on what the named ones do not see")
    parser.add_argument("--root", type=Path, default=LISTS.parent.parent, help="another tree")
    asked = parser.parse_args(arguments)
    mutants = [m for m in read_lists(asked.root / "tests" / "mutants") if any(t in str(m) for t in asked.only or [""])]
    stale = [f"stale  {mutant}: {why}" for mutant in mutants if (why := mutant.stale(asked.root))]
    if stale or not mutants:
        print(*stale, f"{len(stale)} of {len(mutants)} entries are stale. Nothing was run", sep="\n")
        return 2
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in warm:
        importlib.import_module(name)
    return play(asked.root, mutants, asked.jobs, not asked.no_baseline, asked.all)


if __name__ == "__main__":
    sys.exit(main())
