"""A small trained net in float64 with a batch, on which an audit runs and perturbs one more trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Int64
from torch import Tensor

from neurorules.audit.probes import Quiet
from neurorules.audit.settings import CLASSES, NET, ROWS, SHAPE, Settings
from neurorules.contracts.parameter_key import key_of
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.language.settings import Drawn
from neurorules.network.initial import initialise
from neurorules.network.model import Learned, Model, build_model
from neurorules.network.network import Parameters, build_network
from neurorules.rules import RULES
from neurorules.torch_path.trial.learn import TrialResult, learn_trial

TRIALS, RATE = 20, 0.05
"""Number of trials that train the net before the audit, so that the read-out and the running averages have changed; and
the learning rate of these trials."""


@dataclass(frozen=True)
class Rig:
    """One rule on one small net, and one batch.

    Args:
        rule: the rule as the user wrote it.
        model, learned: the model, and its state after training, in float64.
        steps: T; 1 for neurons with a single step.
        drive: spikes (T, B, *input).
        labels: class indices (B,).
    """

    rule: str
    model: Model
    learned: Learned
    steps: int
    drive: Series
    labels: Int64[Tensor, " B"]

    @property
    def rows(self) -> list[str]:
        """Names of all layers, from first to last."""
        return [layer.name for layer in self.model.network.layers]

    @property
    def hidden(self) -> list[str]:
        """Names of the hidden layers, from first to last."""
        return self.rows[:-1]

    def own(self, layer: str) -> list[str]:
        """Names of a layer's parameters and of the signal's parameters for it, without those of its neurons."""
        running = {f"{a.name}.{name}" for a in self.model.network.layers for name in a.neuron.learns}
        return [name for name in self.learned.parameters if key_of(name).layer == layer and name not in running]


@dataclass(frozen=True)
class Outcome:
    """The changes and other results of one trial.

    Args:
        gradients: gradients by parameter, summed over all phases.
        result: the other results of the trial.
    """

    gradients: dict[str, Tensor]
    result: TrialResult

    def of(self, layer: str) -> dict[str, Tensor]:
        """The gradients of one layer's parameters."""
        return {name: value for name, value in self.gradients.items() if key_of(name).layer == layer}


@dataclass
class _Applied:
    """An update function that applies the changes of a phase as plain gradient steps, and records their gradients."""

    parameters: Parameters
    probe: Quiet
    gradients: dict[str, Tensor] = field(default_factory=dict)

    def __call__(self, gradients: Mapping[str, Tensor]) -> Parameters:
        self.gradients |= gradients
        moved = {name: -RATE * gradient for name, gradient in gradients.items()}
        self.probe.moved(moved)
        return self.parameters | {name: self.parameters[name] + change for name, change in moved.items()}


def build(rule: str, net: str = NET, norm: str | None = None, signal: str | None = None, dw: str | None = None) -> Rig:
    """Build a rig: a rule on a small net with the rule's own neurons and connections.

    Args:
        rule, net, norm, signal, dw: as in `Settings`.

    Returns:
        The rig after some training (see `rig_of`).
    """
    return rig_of(Settings(rule, net=net, norm=norm, signal=signal, dw=dw))


def rig_of(settings: Settings) -> Rig:
    """Build the small net for the audited settings, and train it for some trials.

    Raises:
        UserError: the rule is unknown or cannot use the net, or a layer of the net is silent, so that no dependence
            could be measured.
    """
    rule, parts = RULES.make(settings.rule), settings.complete()
    net, init = parts.pop("net"), parts.pop("init")
    signal, dw, targets, scores = (parts.pop(name) for name in ("signal", "dw", "targets", "scores"))
    network = build_network(net, SHAPE, CLASSES, **parts)
    model = build_model(network, rule, signal, dw, targets, scores)
    steps = settings.time_steps()
    # A rule may silence such a small net while it learns: then the net is audited with the weights it was drawn with.
    # A trial may also be too short for small weights to reach the thresholds of all layers: then they are drawn larger.
    ways: tuple[tuple[float, Drawn], ...] = ((RATE, init), (0.0, init), (RATE, "he"))
    for rate, drawn in ways:
        rig = warm_up(settings.rule, model, steps, rate, drawn)
        if not silent(rig):
            return rig
    raise UserError(f"layer '{silent(rig)[0]}' of the audited net {net} is silent, so nothing shows. Widen it")


def warm_up(rule: str, model: Model, steps: int, rate: float, init: Drawn) -> Rig:
    """Train a model for some trials, each followed by a plain gradient step.

    Args:
        rule: the rule as a text.
        model: the model, in float64.
        steps: T of each trial.
        rate: the learning rate; 0 moves only running averages.
        init: how the weights are drawn.

    Returns:
        The rig of the trained model, with a new batch.
    """
    with torch.no_grad():
        learned = initialise(model, 1, torch.device("cpu"), torch.float64, init)
        for number in range(TRIALS):
            outcome = run(Rig(rule, model, learned, steps, *samples(steps, ROWS, 10 + number)))
            learned = outcome.result.learned
            learned.parameters |= {n: learned.parameters[n] - rate * g for n, g in outcome.gradients.items()}
        return Rig(rule, model, learned, steps, *samples(steps, ROWS, 0))


def silent(rig: Rig) -> list[str]:
    """Names of the hidden layers that never spike."""
    return [name for name, a in zip(rig.hidden, run(rig).result.activity, strict=False) if not a.S.values.any()]


def samples(steps: int, rows: int, seed: int) -> tuple[Series, Int64[Tensor, " B"]]:
    """Draw random input spikes and class labels for a batch of an audit.

    Args:
        steps: number of steps T.
        rows: number of samples B.
        seed: the seed of the draws.

    Returns:
        Spikes (T, B, *input) of size 1.5 in float64, and class indices (B,).
    """
    generator = torch.Generator().manual_seed(seed)
    spikes = torch.rand(steps, rows, *SHAPE, generator=generator, dtype=torch.float64) < 0.4
    return Series(spikes.double() * 1.5, False), torch.randint(0, CLASSES, (rows,), generator=generator)


def run(rig: Rig, probe: Quiet | None = None, window: int | None = None) -> Outcome:
    """Run one trial, without changing the rig.

    Args:
        rig: the trial.
        probe: a probe that observes or changes the trial, or None. It is not used in a trial with a window.
        window: number of steps to run at once; T if None.

    Returns:
        The gradients of all phases, and the trial's result.
    """
    probe = probe or Quiet()
    apply = _Applied(rig.learned.parameters, probe)
    with torch.no_grad():
        result = learn_trial(
            rig.model, rig.learned, rig.drive, rig.steps, rig.labels, torch.Generator().manual_seed(0), window, apply,
            None if window is not None else probe,
        )  # fmt: skip
    gradients = dict(apply.gradients)
    for name, value in result.gradients.items():
        gradients[name] = gradients[name] + value if name in gradients else value
    return Outcome(gradients, result)


def with_parameters(rig: Rig, changed: Mapping[str, Tensor]) -> Rig:
    """Replace parameters of a rig.

    Args:
        rig: the rig, which is not changed.
        changed: new values, by parameter.

    Returns:
        A new rig; all other parameters are the same.
    """
    return replace(rig, learned=replace(rig.learned, parameters={**rig.learned.parameters, **changed}))


def with_signal(rig: Rig, changed: Mapping[str, Tensor]) -> Rig:
    """Replace tensors of the state of a rig's signal.

    Args:
        rig: the rig, which is not changed.
        changed: new values, by name.

    Returns:
        A new rig; all other tensors are the same.
    """
    return replace(rig, learned=replace(rig.learned, signal={**rig.learned.signal, **changed}))


def differ(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """Whether any bit of any parameter's change differs.

    Args:
        one, other: changes, by parameter.

    Returns:
        True if any bit differs, or if the two have different parameters.
    """
    return one.keys() != other.keys() or any(not torch.equal(value, other[name]) for name, value in one.items())
