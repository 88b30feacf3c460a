"""Whether a change of the code changed any number: one hash for each rule, net and machine.

Every registered rule learns for twenty steps on a dense, a convolutional and a recurrent net in float64, step by step
in torch, and for a few presentations in continuous time where its equations stand. Two trees that print the same lines
compute the same bits:

    python benchmarks/bits.py > before.txt
    python benchmarks/bits.py --against before.txt    # exit code 1 and the lines that differ

Hashes depend on processor and library versions, so both runs belong on one machine.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file

import neurorules
from neurorules.language.errors import UserError
from neurorules.rules import RULES

NETS = {"dense": "12-10", "conv": "c4k3-p2-12", "recurrent": "12-r10"}
FORMS = ("sigprop:form=voltage", "pepita:form=graded", "pepita:form=dendritic:mirror=running", "pepita:form=time_local")
SCHEDULES = ("by_layer", "by_step")
STEPS, ROWS, CLASSES, SHAPE, TRIALS = 5, 6, 4, (1, 8, 8), 20


def digest(values: Mapping[str, object]) -> str:
    """A short hash of numbers by name, in the order of their names."""
    total = hashlib.sha256()
    for name in sorted(values):
        total.update(name.encode())
        total.update(np.ascontiguousarray(values[name]).tobytes())
    return total.hexdigest()[:16]


def torch_lines() -> Iterator[str]:
    """Losses and parameters after twenty steps, by rule, net and schedule; refused pairs say so."""
    for rule in (*RULES.names(), *FORMS):
        steps = min(STEPS, RULES.make(rule).defaults.steps)
        for kind, net in NETS.items():
            for schedule in SCHEDULES:
                yield f"torch {rule} {kind} {schedule} {torch_digest(rule, net, schedule, steps)}"


def torch_digest(rule: str, net: str, schedule: str, steps: int) -> str:
    """The hash of one training, or `refused`."""
    generator = torch.Generator().manual_seed(0)
    try:
        learner = neurorules.Learner(
            net, rule, input_shape=SHAPE, classes=CLASSES, precision="float64", schedule=schedule, seed=3
        )
        losses = []
        for _ in range(TRIALS):
            spikes = (torch.rand(steps, ROWS, *SHAPE, generator=generator) < 0.4).double() * 1.5
            labels = torch.randint(0, CLASSES, (ROWS,), generator=generator)
            losses.append(learner.step(spikes, labels)["loss"])
    except UserError:
        return "refused"
    parameters = {name: value.numpy() for name, value in learner.learned.parameters.items()}
    return digest({**parameters, "losses": np.array(losses)})


def continuous_lines(folder: Path) -> Iterator[str]:
    """Weights after twenty presentations in continuous time, for every rule that has equations there."""
    for rule in RULES.names():
        out = folder / rule
        try:
            neurorules.train(
                rule=rule, path="brian2", data="digits", net="8-6", epochs=1, limit=24, validation=4, seed=3, out=out,
                quiet=True,
            )  # fmt: skip
        except UserError:
            yield f"continuous {rule} refused"
            continue
        yield f"continuous {rule} {digest(load_file(out / 'weights.safetensors'))}"


def main() -> None:
    """Print the lines, or compare them with a file of older ones."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--against", type=Path, help="file that an earlier run of this script printed")
    options.add_argument("--torch-only", action="store_true", help="leave continuous time out, which compiles circuits")
    asked = options.parse_args()
    torch.set_num_threads(1)
    lines = list(torch_lines())
    if not asked.torch_only:
        with tempfile.TemporaryDirectory() as folder:
            lines += continuous_lines(Path(folder))
    print("\n".join(lines))
    if asked.against is not None:
        older = set(asked.against.read_text(encoding="utf-8").splitlines())
        differing = [line for line in lines if line not in older]
        print(f"{len(lines)} lines, {len(differing)} differ from {asked.against}", file=sys.stderr)
        for line in differing:
            print(f"differs: {line}", file=sys.stderr)
        sys.exit(bool(differing))


if __name__ == "__main__":
    main()
