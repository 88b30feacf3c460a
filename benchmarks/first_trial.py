"""Run `neurorules train` on digits up to its first trial, and print how long that took and what was imported by then.

    python benchmarks/first_trial.py RUN_FOLDER

One JSON object: `seconds` of the processor since the interpreter started, and the names of all `modules`. The first
trial is the first call of `Learner.learn`. `benchmarks/start_up.py` and tests/house/test_start_up.py read it.
"""

import json
import sys
import time
from contextlib import suppress

import neurorules.cli


class Reached(BaseException):
    """Ends the program at the first trial."""


def first_trial(self, *arguments, **options):
    """Stand in for `Learner.learn`."""
    seconds = time.process_time()
    print(json.dumps({"seconds": seconds, "modules": sorted(sys.modules)}), flush=True)
    raise Reached


class AtTheTrainer:
    """Notices the import of the trainer, when everything that the learner needs is there."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        """Replace `Learner.learn` as soon as the trainer is imported; find nothing."""
        if name == "neurorules.torch_path.training.trainer":
            sys.meta_path.remove(cls)
            from neurorules.torch_path.training.learner import Learner

            Learner.learn = first_trial


sys.meta_path.insert(0, AtTheTrainer)
with suppress(Reached):
    neurorules.cli.main(["train", "--data", "digits", "--net", "100", "--out", sys.argv[1]])
