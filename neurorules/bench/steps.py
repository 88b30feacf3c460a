"""The work that is measured: a training step of a dense net of LIF neurons by the rules, and its lower bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from neurorules.network.network import build_network
from neurorules.torch_path.training.learner import Learner

INPUTS, CLASSES = 784, 10
BETA = 0.9
LR, PLAIN_LR = 1e-3, 0.3
"""Learning rates of Adam, and of plain gradient descent."""
FIRES = 0.1
"""The assumed share of hidden neurons that fire in a step, for bare products, which have no neurons."""

Step = Callable[[], object]


@dataclass(frozen=True)
class Work:
    """A batch and the net that learns it.

    Args:
        spikes: the input, (T, B, 784), 0 or 1.
        labels: (B,), of ten classes.
        hidden: sizes of the hidden layers.
        plain: whether weights change by plain gradient descent, which holds no numbers of its own, instead of by Adam.
    """

    spikes: Tensor
    labels: Tensor
    hidden: tuple[int, ...] = (1000,)
    plain: bool = False

    @property
    def layers(self) -> Iterator[tuple[int, int]]:
        """Inputs and outputs of each layer, from the first."""
        return pairwise((INPUTS, *self.hidden, CLASSES))


def poisson(steps: int, batch: int, seed: int = 0, rate: float = 0.1) -> tuple[Tensor, Tensor]:
    """Draw independent spikes; each input of each sample has a rate of its own.

    Args:
        steps, batch: T and B, >= 1.
        seed: the seed of the generator.
        rate: the mean share of inputs that fire in a step, in [0, 1].

    Returns:
        Spikes (T, B, 784) and labels (B,), on the CPU.
    """
    generator = torch.Generator().manual_seed(seed)
    spread = 2 * torch.rand(batch, INPUTS, generator=generator) - 1
    rates = (rate + min(rate, 1 - rate) * spread).clamp(0, 1)
    spikes = torch.empty(steps, batch, INPUTS)
    for frame in spikes:  # step by step, without a second tensor of this size
        torch.bernoulli(rates, generator=generator, out=frame)
    return spikes, torch.randint(CLASSES, (batch,), generator=generator)


def bare_products(work: Work) -> Step:
    """Only the dense matrix products that backpropagation through time needs, by torch's `@`.

    Args:
        work: the batch and the net.

    Returns:
        A call that computes them: forwards, for the change of the weights, and backwards except for the first layer.
    """
    rows, device = work.spikes.flatten(0, 1), work.spikes.device
    layers = []
    for number, (inputs, outputs) in enumerate(work.layers):
        before = rows if number == 0 else (torch.rand(len(rows), inputs, device=device) < FIRES).float()
        w, d = torch.randn(outputs, inputs, device=device), torch.randn(len(rows), outputs, device=device)
        layers.append((before, w, d))

    def step() -> object:
        return [(s @ w.T, d.T @ s, d @ w if number else None) for number, (s, w, d) in enumerate(layers)]

    return step


def activity_numbers(work: Work) -> int:
    """Count the numbers of a batch's activity: input, hidden layers and read-out at each step of each sample."""
    return work.spikes.shape[0] * work.spikes.shape[1] * (INPUTS + sum(work.hidden) + CLASSES)


def memory_pass(work: Work) -> Step:
    """One pass over memory: as many float32 numbers as the activity has, each read once and written once.

    Args:
        work: the batch and the net.

    Returns:
        A call that copies them.
    """
    source = torch.zeros(activity_numbers(work), device=work.spikes.device)
    target = torch.zeros_like(source)
    return lambda: target.copy_(source)


def our_step(rule: str, work: Work, schedule: str = "by_layer") -> Step:
    """`Learner.step` of one rule: bptt on the network that snnTorch trains, other rules with their own settings.

    Args:
        rule: with its options, such as `sigprop:form=voltage`.
        work: the batch and the net.
        schedule: the order in which layers and steps are computed.

    Returns:
        A call that takes one training step, the update of the weights included.

    Raises:
        UserError: the rule is unknown, or cannot train this net.
    """
    peer = rule == "bptt"
    net = build_network(
        "-".join(map(str, work.hidden)), (INPUTS,), CLASSES,
        neuron=f"lif:beta={BETA}" + (":reset_delay=true:surrogate=atan" if peer else ""),
        norm="none" if peer else "streaming", readout_neuron=f"leaky_readout:beta={BETA if peer else 0.0}",
    )  # fmt: skip
    device: Any = work.spikes.device.type
    change: dict[str, Any] = {"optimizer": "adam", "lr": LR}
    if work.plain:
        change = {"optimizer": "sgd", "lr": PLAIN_LR, "readout_lr": PLAIN_LR}
    learner = Learner(net, rule, device=device, schedule=schedule, **change)
    return lambda: learner.step(work.spikes, work.labels)
