"""A small net in float64 that has learned a little, and one trial on it: what an audit perturbs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from neurorules.audit.probes import Quiet
from neurorules.audit.settings import CLASSES, NET, ROWS, SHAPE, Settings
from neurorules.contracts.parameter_key import key_of
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.language.settings import Init
from neurorules.network.model import Learned, Model, build_model, initialise
from neurorules.network.network import Parameters, build_network
from neurorules.rules import RULES
from neurorules.torch_path.trial.learn import TrialResult, learn_trial

TRIALS, RATE = 20, 0.05
"""Trials that warm a net up, so that its read-out has left its start and running averages have seen something; and the
share of each gradient that they take."""


@dataclass(frozen=True)
class Rig:
    """One rule on one small net, and one batch.

    Args:
        rule: its text, as the user wrote it.
        model, learned: in float64, warmed up.
        steps: T; 1 where the rule's neurons have no time.
        drive: (T, B, *input).
        labels: (B,).
    """

    rule: str
    model: Model
    learned: Learned
    steps: int
    drive: Series
    labels: Tensor

    @property
    def rows(self) -> list[str]:
        """Names of the layers, in order."""
        return [layer.name for layer in self.model.network.layers]

    @property
    def hidden(self) -> list[str]:
        """Names of the hidden layers."""
        return self.rows[:-1]

    def own(self, layer: str) -> list[str]:
        """Names of a layer's parameters, its signal's among them, without those its neurons run with."""
        running = {f"{a.name}.{name}" for a in self.model.network.layers for name in a.neuron.learns}
        return [name for name in self.learned.parameters if key_of(name).layer == layer and name not in running]


@dataclass(frozen=True)
class Outcome:
    """What one trial asks for: gradients of every phase by parameter, and what else it found."""

    gradients: dict[str, Tensor]
    result: TrialResult

    def of(self, layer: str) -> dict[str, Tensor]:
        """One layer's."""
        return {name: value for name, value in self.gradients.items() if key_of(name).layer == layer}


@dataclass
class _Applied:
    """A phase that applies its changes: plain gradient steps, noted."""

    parameters: Parameters
    probe: Quiet
    gradients: dict[str, Tensor] = field(default_factory=dict)

    def __call__(self, gradients: Mapping[str, Tensor]) -> Parameters:
        self.gradients |= gradients
        moved = {name: -RATE * gradient for name, gradient in gradients.items()}
        self.probe.moved(moved)
        return self.parameters | {name: self.parameters[name] + change for name, change in moved.items()}


def build(rule: str, net: str = NET, norm: str | None = None, signal: str | None = None, dw: str | None = None) -> Rig:
    """A rule on a small net of the neurons and connections it brings (see `built`)."""
    return built(Settings(rule, net=net, norm=norm, signal=signal, dw=dw))


def built(settings: Settings) -> Rig:
    """What is audited, on its small net, warmed up.

    Raises:
        UserError: an unknown rule, a net that it does not take, or one with a silent layer, of which nothing shows.
    """
    made, parts = RULES.make(settings.rule), settings.settled()
    net, init = parts.pop("net"), parts.pop("init")
    signal, dw, targets = (parts.pop(name) for name in ("signal", "dw", "targets"))
    network = build_network(net, SHAPE, CLASSES, **parts)
    model = build_model(network, made, signal, dw, targets)
    steps = settings.time_steps()
    found = warmed(settings.rule, model, steps, RATE, init)
    # A rule may silence so small a net while it learns; the net as it was drawn then stands in.
    found = found if not silent(found) else warmed(settings.rule, model, steps, 0.0, init)
    if silent(found):
        raise UserError(f"layer '{silent(found)[0]}' of the audited net {net} is silent, so nothing shows. Widen it")
    return found


def warmed(rule: str, model: Model, steps: int, rate: float, init: Init) -> Rig:
    """A model after some trials, each followed by a gradient step of this rate."""
    with torch.no_grad():
        learned = initialise(model, 1, torch.device("cpu"), torch.float64, init)
        for number in range(TRIALS):
            outcome = run(Rig(rule, model, learned, steps, *samples(steps, ROWS, 10 + number)))
            learned = outcome.result.learned
            learned.parameters |= {n: learned.parameters[n] - rate * g for n, g in outcome.gradients.items()}
        return Rig(rule, model, learned, steps, *samples(steps, ROWS, 0))


def silent(rig: Rig) -> list[str]:
    """Hidden layers that send nothing at all."""
    return [name for name, a in zip(rig.hidden, run(rig).result.activity, strict=False) if not a.S.values.any()]


def samples(steps: int, rows: int, seed: int) -> tuple[Series, Tensor]:
    """Spikes (T, B, *input) and labels (B,), from a seed."""
    generator = torch.Generator().manual_seed(seed)
    spikes = torch.rand(steps, rows, *SHAPE, generator=generator, dtype=torch.float64) < 0.4
    return Series(spikes.double() * 1.5, False), torch.randint(0, CLASSES, (rows,), generator=generator)


def run(rig: Rig, probe: Quiet | None = None, window: int | None = None) -> Outcome:
    """One trial; nothing changes.

    Args:
        probe: what is held or changed on the way.
        window: steps at a time; T if None.
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
    """The same with other parameters."""
    return replace(rig, learned=replace(rig.learned, parameters={**rig.learned.parameters, **changed}))


def with_signal(rig: Rig, changed: Mapping[str, Tensor]) -> Rig:
    """The same with another state of its signal."""
    return replace(rig, learned=replace(rig.learned, signal={**rig.learned.signal, **changed}))


def differ(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """Whether any bit of any parameter's change differs."""
    return one.keys() != other.keys() or any(not torch.equal(value, other[name]) for name, value in one.items())
