"""A training step of a recurrent net of adaptive neurons over thousands of steps, with and without its compiled scans.

    python benchmarks/recurrent.py --repetitions 5

Both take turns in one process, on one thread, and the seconds are those that the processor worked. Without, each step
of the population is some ten operations of torch, and each factor of a text is a tensor over time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch

from neurorules import Learner
from neurorules.native import scans
from neurorules.network import post_forms

STEPS, ROWS, INPUTS, NEURONS = 2250, 64, 40, 100
RULES = {
    "eprop": ("eprop:adaptation=0.1:rho=0.999", None),
    "bptt": ("bptt", "alif:rho=0.999:surrogate=triangle"),
    "dfa, cuba_lif": ("dfa", "cuba_lif"),
    "dfa, lif": ("dfa", "lif"),
}
"""Rule and neurons of each row; None for those that the rule asks for."""


@contextmanager
def plain() -> Iterator[None]:
    """Inside the block no population is run by the scans that bring its own spikes back."""
    with (
        mock.patch.object(scans, "loops", lambda *call: False),
        mock.patch.object(post_forms, "loops", lambda v: False),
    ):
        yield


def main() -> None:
    """Measure, and print one line a rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    repetitions = parser.parse_args().repetitions
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    spikes = (torch.rand(STEPS, ROWS, INPUTS, generator=generator) < 0.02).float()
    labels = torch.randint(2, (ROWS,), generator=generator)
    for name, (rule, neuron) in RULES.items():
        options = {} if neuron is None else {"neuron": neuron}
        learner = Learner(f"r{NEURONS}", rule=rule, input_shape=(INPUTS,), classes=2, lr=1e-4, **options)
        seconds: dict[bool, list[float]] = {False: [], True: []}
        for turn in range(repetitions + 1):
            for compiled in (turn % 2 == 0, turn % 2 == 1):
                begun = time.process_time()
                if compiled:
                    learner.step(spikes, labels)
                else:
                    with plain():
                        learner.step(spikes, labels)
                if turn:
                    seconds[compiled].append(time.process_time() - begun)
        ratio = statistics.median(a / b for a, b in zip(seconds[False], seconds[True], strict=True))
        without, with_ = (statistics.median(seconds[compiled]) for compiled in (False, True))
        print(f"| {name} | {without:.2f} | {with_:.2f} | {ratio:.1f} |", flush=True)


if __name__ == "__main__":
    main()
