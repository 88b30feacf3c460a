"""Start-up: processor seconds from the interpreter's start to the first trial of `train`, beside importing torch alone.

    python benchmarks/start_up.py [--turns 7]

Both take turns, each in a process of its own; the first trial is the first call of `Learner.learn`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

TORCH = "import gc, time; gc.disable(); import torch; print(time.process_time())"
TRAIN = Path(__file__).with_name("first_trial.py")


def printed(*arguments: str) -> str:
    """The last line that Python prints with these arguments, in a process of its own."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def main() -> None:
    """Measure both in turn, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=7)
    turns = parser.parse_args().turns
    with tempfile.TemporaryDirectory() as place:
        both = [
            (
                float(printed("-c", TORCH)),
                float(json.loads(printed(str(TRAIN), str(Path(place, str(turn)))))["seconds"]),
            )
            for turn in range(turns)
        ]
    torch, train = (median(column) for column in zip(*both, strict=True))
    print(f"import torch {torch:.2f} s, first trial of train {train:.2f} s, least {min(row[1] for row in both):.2f} s")


if __name__ == "__main__":
    main()
