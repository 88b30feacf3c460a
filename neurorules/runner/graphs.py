"""A run, or another graph, as a graph of NIR; and a graph of NIR simulated on samples or on random spikes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.data_set import DataPlace
from neurorules.contracts.series import Series
from neurorules.exchange.nir.cells import Unsayable
from neurorules.exchange.nir.file import metadata_of, read_graph, write_graph
from neurorules.exchange.nir.options import STEP_SECONDS, clock_of, is_nir, parsed
from neurorules.exchange.nir.read import net_of_graph, net_of_text
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.language.ranges import Fraction, Positive, Steps, Whole, check_range
from neurorules.language.unused import refuse_unused
from neurorules.network.description import line_of
from neurorules.rules import RULES
from neurorules.runner.simulate import Shown, compared
from neurorules.torch_path.training.batches import Part, load_data
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.restore import restore_learner

RULE = "shallow"
"""What stands in a learner that never learns."""


def write_nir(
    source: str, out: Path, *, dt: float | None = None, reset: Unsayable = "refuse", data_dir: DataPlace = None
) -> dict[str, Any]:
    """Write the net of a run, or of another graph, as a graph of NIR.

    Args:
        source: folder of a finished run; or a file of NIR with options, whose conventions become those of `graph_of`.
        out: the file.
        dt: seconds of a step; None for that of the graph, else for snnTorch's.
        reset: what becomes of resets that NIR does not have.
        data_dir: where the data of the run lie.

    Returns:
        source, out, the numbers of nodes and edges, step_s, and net, its layers in one line.

    Raises:
        UserError: no such run or graph, a part that NIR does not have, or a file that may not be replaced.
        MissingExtra: nir is not installed.
    """
    if dt is not None:
        check_range("--dt", dt, Positive)
    step = dt
    if is_nir(source):
        path, options = parsed(source)
        read = read_graph(path)
        learner = Learner(net_of_graph(read, options, None, str(path)), RULE)
        step = step or clock_of(metadata_of(read), options, str(path)).seconds
    else:
        learner = restore_learner(Path(source), data_dir, device="cpu")
    step = step or STEP_SECONDS
    graph = learner.to_nir(dt=step, reset=reset)
    write_graph(out, graph)
    counts = {"nodes": len(graph.nodes), "edges": len(graph.edges)}
    return {"source": source, "out": str(out), **counts, "step_s": step, "net": line_of(learner.model.network)}


def simulate_graph(
    text: str, samples: int, *, steps: int | None = None, rate: float | None = None, seed: int = 0,
    data: str | None = None, encode: str | None = None, data_dir: DataPlace = None, quiet: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Run a graph of NIR in Brian2 and in torch, both in float64, and compare every spike.

    Args:
        text: name of the file, with options.
        samples: number of samples, at least 1.
        steps: the number of steps of a sample; None for 25, or for the number that the data determine.
        rate: probability of an input spike in a step, where no data are named; None for 0.2.
        seed: the seed of these spikes, or of the encoder's draws.
        data: a data set, whose first test samples go through the net; None for random spikes.
        encode: the encoder of the data; None for their own.
        data_dir: where data sets lie.
        quiet: shows no progress bar.

    Returns:
        What `simulate_run` returns; file, steps, net, spikes_per_sample by layer, and test_accuracy on labelled data.

    Raises:
        UserError: the graph, a number out of its range, an option that has no effect with or without data, or Brian2
            cannot run a part of it.
        MissingExtra: nir or brian2 is not installed.
    """
    check_range("--samples", samples, Whole)
    check_range("--rate", RATE if rate is None else rate, Fraction)
    check_range("--steps", STEPS if steps is None else steps, Steps)
    check_range("--seed", seed, Whole)
    if data is None:
        refuse_unused({"encode": encode}, "is for the samples of --data, and there are none. Add --data digits")
    else:
        refuse_unused({"rate": rate}, "is for random spikes, and --data brings samples. Give one of them")
    test = None if data is None else _test_samples(data, steps, encode, seed, data_dir)
    if test is not None and not 1 <= samples <= len(test):
        raise UserError(f"--samples is {samples}, the test set holds {len(test)}. Ask for 1 to {len(test)}")
    if samples < 1:
        raise UserError("--samples is 0. Ask for at least 1")
    net = net_of_text(text, None if test is None else _shape_of(test))
    often = RATE if rate is None else rate
    count = (STEPS if steps is None else steps) if test is None else test.steps
    learner = Learner(net, RULE, steps=count, precision="float64", device="cpu")
    generator = torch.Generator().manual_seed(seed)
    labels: list[Tensor] = []

    def drive(start: int, stop: int) -> Series:
        if test is None:
            shape = (count, stop - start, *net.network.input_shape)
            return Series((torch.rand(shape, generator=generator) < often).double(), False)
        series, label = test.batch(np.arange(start, stop), generator)
        labels.append(label)
        return series

    shown: Shown = compared(learner, count, samples, drive, quiet)
    facts = {"file": text, "steps": count, "net": line_of(net.network), **shown.facts}
    facts["spikes_per_sample"] = {name: total / samples for name, total in shown.spikes.items()}
    if labels and labels[0].ndim == 1 and not labels[0].is_floating_point():
        facts["test_accuracy"] = float((shown.scores.argmax(1) == torch.cat(labels)).double().mean())
    return facts


STEPS, RATE = 25, 0.2
"""Time steps of a simulation of which nobody says how long it is, and the probability of a random spike in a step."""


def _test_samples(data: str, steps: int | None, encode: str | None, seed: int, data_dir: DataPlace) -> Part:
    config = TrainConfig(rule=RULE, data=data, steps=steps, encode=encode, seed=seed)
    return load_data(RULES.make(RULE).settle(config), data_dir).test


def _shape_of(test: Part) -> tuple[int, ...]:
    series, _ = test.batch(np.arange(1), torch.Generator())
    return tuple(series.values.shape[1 if series.constant else 2 :])
