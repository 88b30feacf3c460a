"""The plan of a rule in continuous time: the function that makes its circuit, and the order of its presentations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.brian2_continuous.parts.layers import INPUT_PHASE, TEACHING_PHASE, Net
from neurorules.language.rules import Rule

Settings = Mapping[str, float]
"""Numbers that a circuit's equations read by name."""


class Order(NamedTuple):
    """A sequence of P presentations.

    Args:
        samples: index of the sample that each presentation shows, (P,); -1 for none.
        labels: class of the sample, or the class that is shown, (P,).
        phases: `INPUT_PHASE` or `TEACHING_PHASE`, (P,).
    """

    samples: np.ndarray
    labels: np.ndarray
    phases: np.ndarray

    def after(self, start: int) -> Order:
        """The presentations from number `start` on, counted from 0."""
        return Order(*(column[start:] for column in self))


@dataclass(frozen=True)
class Plan:
    """The plan by which a rule learns in continuous time.

    Args:
        make: a function that makes its circuit from sizes and neurons, the rule, the numbers that equations read, and
            the generator of initial weights.
        order: a function that makes the presentations of an epoch from the labels of samples, in the order of learning,
            and the number of classes.
        settings: numbers that equations read in addition to learning rates.
        needs: words of `signals.NEEDS` for what the third factor depends on.
        lr: default learning rate of hidden layers, for rate units.
        readout_lr: default learning rate of the read-out.
        neuron: the neuron of the hidden layers if the user names none.
        forms: a function that returns the fields of this plan that a form of the rule replaces, by name; None if all
            forms share one plan.
    """

    make: Callable[[Net, Rule, Settings, np.random.Generator], Circuit]
    order: Callable[[np.ndarray, int], Order]
    settings: Settings = field(default_factory=dict)
    needs: frozenset[str] = frozenset()
    lr: float = 0.03
    readout_lr: float = 0.005
    neuron: str = "rate"
    forms: Callable[[Rule], Mapping[str, Any]] | None = None

    def of(self, rule: Rule) -> Plan:
        """The plan of the form that a rule's options choose."""
        return self if self.forms is None else replace(self, **self.forms(rule))

    def numbers(self, lr: float | None = None, readout_lr: float | None = None) -> dict[str, float]:
        """Collect all numbers that the circuit's equations read.

        Args:
            lr: learning rate of hidden layers; None for the plan's own.
            readout_lr: learning rate of the read-out; None for the plan's own.

        Returns:
            Numbers by name, with the rates as `lr_hidden` and `lr_readout`.
        """
        rates = {
            "lr_hidden": self.lr if lr is None else lr,
            "lr_readout": self.readout_lr if readout_lr is None else readout_lr,
        }
        return {**self.settings, **rates}


def samples_only(labels: np.ndarray, classes: int) -> Order:
    """Present each sample once, without further phases.

    Args:
        labels: classes of the samples in the order of learning, (N,).
        classes: number of classes, which is not used.

    Returns:
        N presentations.
    """
    return Order(np.arange(len(labels)), labels, np.full(len(labels), INPUT_PHASE))


def samples_and_classes(labels: np.ndarray, classes: int, every: int = 4) -> Order:
    """Present all classes, and then samples, with one class in turn after every few of them.

    Args:
        labels: classes of the samples in the order of learning, (N,).
        classes: number of classes.
        every: number of samples between two classes, >= 1.

    Returns:
        The presentations; those of a class are in the `TEACHING_PHASE` and show no sample.
    """
    shown = [np.full((classes, 3), -1)]
    shown[0][:, 1], shown[0][:, 2] = np.arange(classes), TEACHING_PHASE
    for number, start in enumerate(range(0, len(labels), every)):
        here = np.arange(start, min(start + every, len(labels)))
        shown.append(np.stack([here, labels[here], np.full(len(here), INPUT_PHASE)], 1))
        shown.append(np.array([[-1, number % classes, TEACHING_PHASE]]))
    return Order(*np.concatenate(shown).T)


def each_then_target(labels: np.ndarray, classes: int) -> Order:
    """Present each sample, and after it a presentation without a sample, in which its error enters the first layer.

    Args:
        labels: classes of the samples in the order of learning, (N,).
        classes: number of classes, which is not used.

    Returns:
        2 N presentations, alternately in the `INPUT_PHASE` and in the `TEACHING_PHASE`.
    """
    samples = np.stack([np.arange(len(labels)), np.full(len(labels), -1)], 1).reshape(-1)
    return Order(samples, np.repeat(labels, 2), np.tile([INPUT_PHASE, TEACHING_PHASE], len(labels)))


def each_twice(labels: np.ndarray, classes: int) -> Order:
    """Present each sample twice in a row, the second time with an addition of the rule, such as the sample's error.

    Args:
        labels: classes of the samples in the order of learning, (N,).
        classes: number of classes, which is not used.

    Returns:
        2 N presentations, alternately in the `INPUT_PHASE` and in the `TEACHING_PHASE`.
    """
    samples = np.repeat(np.arange(len(labels)), 2)
    return Order(samples, labels[samples], np.tile([INPUT_PHASE, TEACHING_PHASE], len(labels)))
