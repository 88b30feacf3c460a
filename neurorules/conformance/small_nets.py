"""Small nets in float64 with a rule, and trials on them, for the checks of rules and signals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from neurorules.conformance.comparison import seeded
from neurorules.conformance.suite import NotApplicable
from neurorules.contracts.normalisation import UpdateStatistics
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.network.initial import initialise
from neurorules.network.model import Learned, Model, build_model
from neurorules.network.network import build_network
from neurorules.network.texts import Text
from neurorules.rules import RULES
from neurorules.torch_path.trial.learn import TrialResult, learn_trial
from neurorules.torch_path.trial.probe import Probe
from neurorules.torch_path.update.local_view import LocalView

NETS = ("12-10-8", "c3k3-p2-10", "12-r10")
"""Hidden layers of a dense net, which all rules take, of one with maps and a pool, and of a recurrent one."""
STEPS, ROWS, CLASSES, SHAPE = 5, 6, 3, (1, 6, 6)
"""Number of time steps T, of samples B and of classes, and the shape of the input."""
RATE = 0.05
"""Learning rate of the trials that warm a net up."""


def build(rule: str, net: str = NETS[0], norm: str | None = None, signal: str | None = None) -> tuple[Model, Learned]:
    """Build a small net with a rule, and the neurons and connections of the rule's defaults.

    Args:
        rule: name of the rule with its options.
        net: hidden layers of the net.
        norm: normalisation; None for the rule's default.
        signal: name of a signal with its options, which replaces the rule's own; None for the rule's own.

    Returns:
        The model, and its state with initial parameters in float64.

    Raises:
        UserError: the rule does not take the net or the signal.
    """
    instance = RULES.make(rule)
    own = instance.defaults
    network = build_network(
        net, SHAPE, CLASSES, neuron=own.neuron, readout_neuron=own.readout_neuron, norm=norm or own.norm,
        connection=own.connection,
    )  # fmt: skip
    model = build_model(network, instance, signal)
    return model, initialise(model, 1, torch.device("cpu"), torch.float64)


def nets_of(rule: str, signal: str | None = None) -> list[str]:
    """List the nets that a rule takes; it refuses the others by `UserError`.

    Args:
        rule: name of the rule with its options.
        signal: name of a signal that replaces the rule's own; None for the rule's own.

    Returns:
        Those of `NETS` that the rule takes.

    Raises:
        UserError: the rule does not take the dense net.
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
    """The number of time steps T for a rule: 1 where its default neurons have no time."""
    return min(STEPS, RULES.make(rule).defaults.steps)


def samples(steps: int, seed: int = 0) -> tuple[Series, Tensor]:
    """Draw a batch of random spikes of size 1.5.

    Args:
        steps: number of time steps T.
        seed: seed of the draws.

    Returns:
        Spikes (T, B, 1, 6, 6) in float64, and class indices (B,).
    """
    generator = seeded(seed)
    drive = (torch.rand(steps, ROWS, *SHAPE, generator=generator, dtype=torch.float64) < 0.4).double()
    return Series(drive * 1.5, False), torch.randint(0, CLASSES, (ROWS,), generator=generator)


def trial(
    model: Model, learned: Learned, drive: Series, labels: Tensor, window: int | None = None, probe: Probe | None = None
) -> TrialResult:
    """Run one trial with a new generator. The state that is handed in stays as it is.

    Args:
        model, learned: a model and its state, from `build`.
        drive: spikes (T, B, *input).
        labels: class indices (B,).
        window: number of steps that are run at a time; None for T.
        probe: observes the trial; None for none.

    Returns:
        The trial's result. Its gradients include those of phases that apply their changes at once.
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


def awake(model: Model, learned: Learned, drive: Series, labels: Tensor) -> tuple[Learned, TrialResult]:
    """A trial in which every hidden layer spikes, by ten times larger weights where few steps do not reach a threshold.

    Args:
        model, learned: a model and its state, from `build`.
        drive: spikes (T, B, *input).
        labels: class indices (B,).

    Returns:
        The state, with its own weights if all layers spike with them, and the trial's result.
    """
    result = trial(model, learned, drive, labels)
    if all(activity.S.values.any() for activity in result.activity[:-1]):
        return learned, result
    names = {layer.weight_name(entry) for layer in model.network.hidden for entry in layer.inputs}
    larger = {name: 10 * value if name in names else value for name, value in learned.parameters.items()}
    learned = replace(learned, parameters=larger)
    return learned, trial(model, learned, drive, labels)


def warmed(
    rule: str, net: str = NETS[0], norm: str | None = None, signal: str | None = None, trials: int = 3
) -> tuple[Model, Learned]:
    """Build a model and let it learn for some trials, so that its read-out and its running averages have moved.

    Args:
        rule, net, norm, signal: as in `build`.
        trials: number of trials, >= 0, each followed by a gradient step of rate `RATE`.

    Returns:
        The model and its state.

    Raises:
        UserError: the rule does not take the net or the signal.
    """
    model, learned = build(rule, net, norm, signal)
    for seed in range(trials):
        result = trial(model, learned, *samples(steps_of(rule), seed + 10))
        learned = result.learned
        for parameter, gradient in result.gradients.items():
            learned.parameters[parameter] = learned.parameters[parameter] - RATE * gradient
    return model, learned


class Rows(Probe):
    """A probe that notes the number of rows of each phase that learns."""

    def __init__(self) -> None:
        self.counts: set[int] = set()

    def learns(self, view: LocalView, texts: tuple[Text, ...], statistics: Mapping[str, UpdateStatistics]) -> None:
        self.counts.add(int(view.activity.v.values.shape[1]))


def has_rows_of_its_own(model: Model, learned: Learned, drive: Series, labels: Tensor) -> bool:
    """Find out whether a phase runs rows that are no samples, such as one for each class.

    Args:
        model, learned: a model and its state, from `build`.
        drive: spikes (T, B, *input).
        labels: class indices (B,).

    Returns:
        True where a phase that learns has another number of rows than B.
    """
    rows = Rows()
    trial(model, learned, drive, labels, probe=rows)
    return rows.counts != {len(labels)}


def facts_of(audit: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of the single rule of an audit.

    Raises:
        UserError: the rule could not be audited.
    """
    for rule, why in audit["left_out"].items():
        raise UserError(f"'{rule}' could not be audited: {why}")
    facts: dict[str, Any] = audit["facts"][0]
    return facts


def warmed_alike(text: str, net: str = NETS[0]) -> tuple[Model, Learned]:
    """A model after a few trials, as `warmed` makes it, whose rows of a batch all compute alike.

    Args:
        text: rule with options.
        net: text of the hidden layers.

    Returns:
        Model and state.

    Raises:
        NotApplicable: the signal of the rule draws numbers for each row of a batch.
    """
    model, learned = warmed(text, net)
    if model.signal is not None and model.signal.draws:
        raise NotApplicable("its signal draws numbers for each row of a batch")
    return model, learned
