"""Start-up: processor seconds from the interpreter's start to the first trial of `train`, beside importing torch alone.

    python benchmarks/start_up.py [--turns 7]

Both take turns, each in a process of its own; the first trial is the first call of `Learner.learn`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

TORCH = "import gc, time; gc.disable(); import torch; print(time.process_time())"
TRAIN = """
import sys, time
import neurorules.cli


class Reached(BaseException):
    pass


def first_trial(self, *given, **named):
    print(time.process_time(), flush=True)
    raise Reached


class AtTheTrainer:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == "neurorules.torch_path.training.trainer":
            sys.meta_path.remove(cls)
            from neurorules.torch_path.training.learner import Learner

            Learner.learn = first_trial


sys.meta_path.insert(0, AtTheTrainer)
try:
    neurorules.cli.main(["train", "--data", "digits", "--net", "100", "--out", sys.argv[1]])
except Reached:
    pass
"""


def seconds(program: str, *arguments: str) -> float:
    """What a program prints, run in a process of its own."""
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure both in turn, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=7)
    turns = parser.parse_args().turns
    with tempfile.TemporaryDirectory() as place:
        both = [(seconds(TORCH), seconds(TRAIN, str(Path(place, str(turn))))) for turn in range(turns)]
    torch, train = (median(column) for column in zip(*both, strict=True))
    print(f"import torch {torch:.2f} s, first trial of train {train:.2f} s, least {min(row[1] for row in both):.2f} s")


if __name__ == "__main__":
    main()
