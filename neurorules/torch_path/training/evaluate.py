"""The figures of a learner on samples that it does not learn from, and the cost of its spikes."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.network.layer import INPUT, Layer
from neurorules.torch_path.process.ranks import Ranks
from neurorules.torch_path.process.session import own_session
from neurorules.torch_path.training.batches import Part
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.trial.share import Share
from neurorules.torch_path.update.figures import Tally, scoring_of

ROWS = 500
"""The number of rows that run at once: samples, or samples times classes if each class has a pass of its own."""


class Evaluation(NamedTuple):
    """The figures of a learner on samples that it does not learn from.

    A synaptic operation is a spike, or a nonzero output of a neuron that does not spike, that reaches a synapse.

    Args:
        figures: accuracy in 0..1, or the figures of another task (`contracts.target.FIGURES_OF`), by name.
        spikes_per_sample: spikes of all hidden neurons that spike.
        synops_per_sample: synaptic operations that the outputs of hidden layers cause.
        mean_rates: by hidden layer, mean output per neuron and step.
        silent: by hidden layer, share of its neurons whose output was always 0, in 0..1.
        sent: spikes per sample, by hidden layer, and by `INPUT` for the network's input; for neurons that do not spike,
            the number of nonzero values. Those of a constant input are counted once.
        constant_input: whether the network's input stays the same through a sample.
    """

    figures: dict[str, float]
    spikes_per_sample: float
    synops_per_sample: float
    mean_rates: dict[str, float]
    silent: dict[str, float]
    sent: dict[str, float]
    constant_input: bool

    @property
    def accuracy(self) -> float:
        """The share of the samples, or of their steps, whose class was predicted, in 0..1. Only tasks of classes have
        it.
        """
        return self.figures["accuracy"]


@own_session()
def evaluate(learner: Learner, part: Part, seed: int = 0) -> Evaluation:
    """Run all samples of a part once, without learning.

    Args:
        learner: the learner to evaluate.
        part: the samples.
        seed: the seed of the encoder's draws.

    Returns:
        Figures of the task, and activity. Several ranks run a share each, and all get the result.
    """
    generator = torch.Generator().manual_seed(seed)
    at_once = _samples_at_once(learner)
    layers, ranks = learner.model.network.layers, _sharing(learner, len(part), at_once)
    tally, totals, sent = Tally(scoring_of(learner.model)), [0.0] * len(layers), [0.0] * len(layers)
    reached: list[Tensor | None] = [None] * len(layers)
    sent_by_input, constant = 0, False
    for drive, labels in part.in_order(at_once, generator):
        tally.begin(labels)
        if ranks is not None:
            share = Share.of(ranks, len(labels))
            drive, labels = share.drive(drive), labels[share.start : share.stop]
        response = learner.respond(drive)
        constant = drive.constant
        sent_by_input += int(drive.values.count_nonzero())
        tally.add(response.scores, labels.to(response.scores.device))
        for index, activity in enumerate(response.activity[:-1]):
            output = activity.S.values
            total, sends = float(output.sum()), output != 0
            totals[index] += total
            sent[index] += total if layers[index].neuron.spiking else int(sends.count_nonzero())
            fired = sends.flatten(0, 1).any(0)
            before = reached[index]
            reached[index] = fired if before is None else before | fired
    if ranks is not None:
        tally.join(ranks)
        sent_by_input, totals, sent, reached = _joined(ranks, sent_by_input, totals, sent, reached)
    samples = len(part)
    hidden = learner.model.network.hidden
    rates = {a.name: totals[i] / (samples * part.steps * prod(a.shape)) for i, a in enumerate(hidden)}
    silent = {a.name: 1 - float(r.float().mean()) for a, r in zip(hidden, reached, strict=False) if r is not None}
    spikes = sum(totals[i] for i, layer in enumerate(hidden) if layer.neuron.spiking)
    synops = sum(sent[i] * _fan_out(layers, i) for i in range(len(hidden)))
    figures = tally.figures()
    figures.pop("loss")
    all_sent = {INPUT: sent_by_input / samples, **{a.name: sent[i] / samples for i, a in enumerate(hidden)}}
    return Evaluation(figures, spikes / samples, synops / samples, rates, silent, all_sent, constant)


def _samples_at_once(learner: Learner) -> int:
    """The number of samples in a batch of `ROWS` rows at most."""
    model = learner.model
    repeats = 1 if model.signal is None else model.signal.repeats(model.rule.score_phase, model.shape)
    return max(1, ROWS // repeats)


def _sharing(learner: Learner, samples: int, at_once: int) -> Ranks | None:
    """The ranks that share an evaluation; None if a batch has too few samples for all ranks, so that each runs all
    samples.
    """
    ranks = learner.ranks
    return ranks if ranks is not None and (samples % at_once or at_once) >= ranks.count else None


def _joined(
    ranks: Ranks, sent_by_input: int, totals: list[float], sent: list[float], reached: list[Tensor | None]
) -> tuple[int, list[float], list[float], list[Tensor | None]]:
    """Sum the counts of all ranks, in the same order."""
    flags = [torch.zeros(0) if fired is None else fired for fired in reached]
    counts = torch.tensor([float(sent_by_input), *totals, *sent], dtype=torch.float64)
    first, *rest = ranks.sums([counts, *(flag.cpu().double() for flag in flags)])
    sums, layers = first.tolist(), len(totals)
    fired = [None if was is None else flag > 0 for was, flag in zip(reached, rest, strict=True)]
    return int(sums[0]), sums[1 : 1 + layers], sums[1 + layers :], fired


def _fan_out(layers: tuple[Layer, ...], source: int) -> float:
    """Number of synapses that a neuron of a layer reaches, on average."""
    reached = 0.0
    for layer in layers:
        for entry in layer.inputs:
            if entry.source == source:
                synapses = prod(layer.shape) * entry.connection.fan_in(entry.pre_shape)
                reached += synapses / prod(entry.source_shape)
    return reached
