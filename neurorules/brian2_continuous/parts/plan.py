"""What a rule's file in `circuits` offers: how its circuit is made, and what is presented in which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.brian2_continuous.parts.layers import SHOWN, TOLD, Net
from neurorules.language.rules import Rule

Settings = Mapping[str, float]


class Order(NamedTuple):
    """A stream of presentations.

    samples: position of the sample that is shown, -1 for none.
    labels: class that belongs to it, or that is shown.
    phases: SHOWN or TOLD.
    """

    samples: np.ndarray
    labels: np.ndarray
    phases: np.ndarray

    def after(self, start: int) -> Order:
        """From a presentation on."""
        return Order(*(column[start:] for column in self))


@dataclass(frozen=True)
class Plan:
    """A rule in continuous time.

    Args:
        make: its circuit.
        order: from labels in the order of learning, and classes, to presentations.
        settings: numbers its equations read beside the rates.
        needs: what its third factor needs (see `signals._shared`).
        lr, readout_lr: rates it learns well with.
        neuron: of the hidden layers where the user names none.
        forms: which of these fields a form of the rule changes, and to what; None for none.
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
        """The plan of one form of its rule."""
        return self if self.forms is None else replace(self, **self.forms(rule))

    def numbers(self, lr: float | None = None, readout_lr: float | None = None) -> dict[str, float]:
        """All settings of its circuit; rates are its own where none are given."""
        rates = {
            "lr_hidden": self.lr if lr is None else lr,
            "lr_readout": self.readout_lr if readout_lr is None else readout_lr,
        }
        return {**self.settings, **rates}


def samples_only(labels: np.ndarray, classes: int) -> Order:
    """Every sample once."""
    return Order(np.arange(len(labels)), labels, np.full(len(labels), SHOWN))


def samples_and_classes(labels: np.ndarray, classes: int, every: int = 4) -> Order:
    """All classes at the start, then one class, in turn, after so many samples."""
    shown = [np.full((classes, 3), -1)]
    shown[0][:, 1], shown[0][:, 2] = np.arange(classes), TOLD
    for number, start in enumerate(range(0, len(labels), every)):
        here = np.arange(start, min(start + every, len(labels)))
        shown.append(np.stack([here, labels[here], np.full(len(here), SHOWN)], 1))
        shown.append(np.array([[-1, number % classes, TOLD]]))
    return Order(*np.concatenate(shown).T)


def each_then_target(labels: np.ndarray, classes: int) -> Order:
    """Every sample, and then what its answer sends back to the first layer, without the sample."""
    samples = np.stack([np.arange(len(labels)), np.full(len(labels), -1)], 1).reshape(-1)
    return Order(samples, np.repeat(labels, 2), np.tile([SHOWN, TOLD], len(labels)))


def each_twice(labels: np.ndarray, classes: int) -> Order:
    """Every sample, and at once again, with what the rule adds to it."""
    samples = np.repeat(np.arange(len(labels)), 2)
    return Order(samples, labels[samples], np.tile([SHOWN, TOLD], len(labels)))
