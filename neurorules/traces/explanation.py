"""The explanation of one weight change as arrays, which the torch path computes and `plots` draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST = 10
"""Largest number of values of a target to show."""


@dataclass(frozen=True)
class Term:
    """One product of a text at the synapse.

    Args:
        pre: presynaptic factor as written; "1" for none.
        post: postsynaptic factor as written, its coefficients included.
        pre_factor, post_factor: their values at the synapse's two neurons, (T, R) for R rows of the phase. With
            `dv_dw`, the postsynaptic one includes the later effect of a current at t through leak, reset and
            normalisation.
        weight_factor: a factor of the weight itself; 1 for none.
        dw: change at each step, summed over rows (and over the positions of a shared kernel), (T,).
    """

    pre: str
    post: str
    pre_factor: np.ndarray
    post_factor: np.ndarray
    weight_factor: float
    dw: np.ndarray


@dataclass(frozen=True)
class PhasePart:
    """The part of one phase in a weight's change.

    Args:
        phase: the name of the phase.
        texts: the texts of the weight in this phase.
        row: the row to look at, of the R that the phase runs: the sample, or its class's prototype.
        variables: the variables that the texts read, and always spikes and membrane, by name, (T, R) each.
        terms: products of the texts.
        own: for a shared kernel, the contribution of the named pair of neurons, (T,); otherwise None.
    """

    phase: str
    texts: tuple[str, ...]
    row: int
    variables: Mapping[str, np.ndarray]
    terms: tuple[Term, ...]
    own: np.ndarray | None = None

    @property
    def dw(self) -> np.ndarray:
        """Change at each step, all terms together, (T,)."""
        return np.asarray(sum((term.dw for term in self.terms), np.zeros(len(self.variables["v_post"]))))


@dataclass(frozen=True)
class Explanation:
    """The change of one weight in one trial, before the optimiser, step by step.

    Args:
        synapse: LAYER:POST:PRE, in full.
        parameter: name of the weights, and `index` in them.
        rule, declarations: the rule, and the traces and eligibilities that its texts read.
        weight: its value before the trial.
        sample: the position of the sample.
        label: its class; for other tasks its target, a value for each output or for each step.
        prediction: the class, or the values, that the network gave before the trial.
        dt_ms: length of a step.
        v_threshold: the threshold of the postsynaptic neuron; None if it sends no spikes.
        parts: the parts of the phases.
        gradient: the gradient of the weight in the trial, which is minus the sum of dw.
        strongest: the synapse of the same postsynaptic neuron that this trial moves most; the synapse itself if none
            moves.
    """

    synapse: str
    parameter: str
    index: tuple[int, ...]
    rule: str
    declarations: tuple[str, ...]
    weight: float
    sample: int
    label: Any
    prediction: Any
    dt_ms: float
    v_threshold: float | None
    parts: tuple[PhasePart, ...]
    gradient: float
    strongest: str

    @property
    def total(self) -> float:
        """Sum of dw over steps and phases."""
        return float(sum(part.dw.sum() for part in self.parts))

    @property
    def outcome(self) -> str:
        """The sample's target and the network's prediction as a phrase, such as `class 3, read as 8`."""
        if isinstance(self.label, int):
            return f"class {self.label}, read as {self.prediction}"
        return f"target {_shown(self.label)}, predicted {_shown(self.prediction)}"

    def as_dict(self) -> dict[str, Any]:
        """All fields by name, with arrays as nested lists."""
        return {**_plain(self), "dw_sum": self.total}


def _shown(target: Any) -> str:
    """A target in words: the values of a sample, or those of its last step."""
    if isinstance(target[0], list):
        return f"{_shown(target[-1])} at the last of {len(target)} steps"
    more = ", ..." if len(target) > MOST else ""
    return ", ".join(f"{value:.4g}" for value in target[:MOST]) + more


def _plain(value: Any) -> Any:
    if isinstance(value, Explanation | PhasePart | Term):
        items = {name: _plain(item) for name, item in vars(value).items()}
        if isinstance(value, PhasePart):
            items |= {"dw": value.dw.tolist(), "dw_cumulative": value.dw.cumsum().tolist()}
        return items
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
