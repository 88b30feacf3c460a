"""A rule on a small net in float64, and trials on it: what the checks of rules and signals look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from neurorules.conformance.comparison import seeded
from neurorules.contracts.normalisation import UpdateStatistics
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.network.model import Learned, Model, build_model, initialise
from neurorules.network.network import build_network
from neurorules.network.texts import Text
from neurorules.rules import RULES
from neurorules.torch_path.trial.learn import TrialResult, learn_trial
from neurorules.torch_path.trial.probe import Probe
from neurorules.torch_path.update.local_view import LocalView

NETS = ("12-10-8", "c3k3-p2-10", "12-r10")
"""A dense net, which every rule takes, one with maps and pooling, and one with a loop."""
STEPS, ROWS, CLASSES, SHAPE = 5, 6, 3, (1, 6, 6)
RATE = 0.05
"""Share of each gradient that a warm-up trial takes."""


def build(rule: str, net: str = NETS[0], norm: str | None = None, signal: str | None = None) -> tuple[Model, Learned]:
    """A rule on a net of the neurons and connections it brings, with fresh parameters.

    Args:
        rule: its text, with options.
        net: hidden layers.
        norm: normalisation; the rule's own if None.
        signal: replaces the rule's own.

    Raises:
        UserError: the rule does not take the net or the signal.
    """
    made = RULES.make(rule)
    own = made.defaults
    network = build_network(
        net, SHAPE, CLASSES, neuron=own.neuron, readout_neuron=own.readout_neuron, norm=norm or own.norm,
        connection=own.connection,
    )  # fmt: skip
    model = build_model(network, made, signal)
    return model, initialise(model, 1, torch.device("cpu"), torch.float64)


def nets_of(rule: str, signal: str | None = None) -> list[str]:
    """The nets that a rule takes; the others it refuses by `UserError`.

    Raises:
        UserError: it does not take the dense net.
    """
    nets = []
    for net in NETS:
        try:
            build(rule, net, signal=signal)
        except UserError:
            if net == NETS[0]:
                raise
            continue
        nets.append(net)
    return nets


def steps_of(rule: str) -> int:
    """T of a rule's own neurons: 1 where they have no time."""
    return min(STEPS, RULES.make(rule).defaults.steps)


def samples(steps: int, seed: int = 0) -> tuple[Series, Tensor]:
    """Spikes times 1.5, (T, B, 1, 6, 6) in float64, and labels (B,)."""
    generator = seeded(seed)
    drive = (torch.rand(steps, ROWS, *SHAPE, generator=generator, dtype=torch.float64) < 0.4).double()
    return Series(drive * 1.5, False), torch.randint(0, CLASSES, (ROWS,), generator=generator)


def trial(
    model: Model, learned: Learned, drive: Series, labels: Tensor, window: int | None = None, probe: Probe | None = None
) -> TrialResult:
    """One trial with a generator of its own; nothing is changed.

    Args:
        model, learned: see `build`.
        drive: (T, B, *input).
        labels: (B,).
        window: steps at a time; T if None.
        probe: looks on.

    Returns:
        The trial's result; its gradients hold those of phases that apply their changes as well.
    """
    applied: dict[str, Tensor] = {}

    def apply(gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
        for name, value in gradients.items():
            applied[name] = applied[name] + value if name in applied else value
        moved = {name: learned.parameters[name] - RATE * value for name, value in applied.items()}
        return {**learned.parameters, **moved}

    result = learn_trial(model, learned, drive, len(drive.values), labels, seeded(), window, apply, probe)
    for name, value in result.gradients.items():
        applied[name] = applied[name] + value if name in applied else value
    return replace(result, gradients=applied)


def warmed(
    rule: str, net: str = NETS[0], norm: str | None = None, signal: str | None = None, trials: int = 3
) -> tuple[Model, Learned]:
    """A model whose read-out is no longer at its start, and whose running averages have seen samples.

    Args:
        rule, net, norm, signal: see `build`.
        trials: how many trials, >= 0, each followed by a plain gradient step.
    """
    model, learned = build(rule, net, norm, signal)
    for seed in range(trials):
        result = trial(model, learned, *samples(steps_of(rule), seed + 10))
        learned = result.learned
        for parameter, gradient in result.gradients.items():
            learned.parameters[parameter] = learned.parameters[parameter] - RATE * gradient
    return model, learned


class Rows(Probe):
    """Notes how many rows each phase that learns has."""

    def __init__(self) -> None:
        self.counts: set[int] = set()

    def learns(self, view: LocalView, texts: tuple[Text, ...], statistics: Mapping[str, UpdateStatistics]) -> None:
        self.counts.add(int(view.activity.v.values.shape[1]))


def has_rows_of_its_own(model: Model, learned: Learned, drive: Series, labels: Tensor) -> bool:
    """Whether some phase runs rows that are no samples, such as one for each class."""
    rows = Rows()
    trial(model, learned, drive, labels, probe=rows)
    return rows.counts != {len(labels)}


def facts_of(audit: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of the one rule that was audited.

    Raises:
        UserError: it could not be audited.
    """
    for rule, why in audit["left_out"].items():
        raise UserError(f"'{rule}' could not be audited: {why}")
    facts: dict[str, Any] = audit["facts"][0]
    return facts
