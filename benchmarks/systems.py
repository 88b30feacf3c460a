"""What is measured: one training step of 784-1000-10, LIF (beta 0.9, threshold 1, subtract), ours and others'."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import snntorch
import torch
from torch import Tensor

from neurorules import Learner
from neurorules.network.network import build_network

INPUTS, HIDDEN, CLASSES = 784, 1000, 10
BETA, RATE, LR = 0.9, 0.1, 1e-3

Step = Callable[[], object]


def poisson(steps: int, batch: int, seed: int = 0, rate: float = RATE) -> tuple[Tensor, Tensor]:
    """Spikes (T, B, 784) at rates of at most 2 `rate`, which is their mean, and labels (B,)."""
    generator = torch.Generator().manual_seed(seed)
    rates = 2 * rate * torch.rand(batch, INPUTS, generator=generator)
    spikes = torch.empty(steps, batch, INPUTS)
    for frame in spikes:  # frame by frame: no second tensor of this size
        torch.bernoulli(rates, generator=generator, out=frame)
    return spikes, torch.randint(CLASSES, (batch,), generator=generator)


def bare_products(spikes: Tensor, labels: Tensor) -> Step:
    """The five matrix products that backpropagation through time cannot do without, by torch's `@`."""
    rows, device = spikes.flatten(0, 1), spikes.device
    w1, w2 = torch.randn(HIDDEN, INPUTS, device=device), torch.randn(CLASSES, HIDDEN, device=device)
    hidden = (torch.rand(rows.shape[0], HIDDEN, device=device) < RATE).float()
    d1, d2 = (torch.randn(rows.shape[0], size, device=device) for size in (HIDDEN, CLASSES))

    def step() -> object:
        return rows @ w1.T, hidden @ w2.T, d2.T @ hidden, d2 @ w2, d1.T @ rows

    return step


def snntorch_step(spikes: Tensor, labels: Tensor) -> Step:
    """Backpropagation through time as snnTorch's tutorials write it; cross-entropy of the mean membrane, Adam."""

    torch.manual_seed(0)
    first, second = torch.nn.Linear(INPUTS, HIDDEN), torch.nn.Linear(HIDDEN, CLASSES)
    hidden, out = snntorch.Leaky(BETA), snntorch.Leaky(BETA)
    optimiser = torch.optim.Adam([*first.parameters(), *second.parameters()], lr=LR, fused=True)

    def step() -> float:
        mem1, mem2, record = hidden.init_leaky(), out.init_leaky(), []
        for frame in spikes:
            fired, mem1 = hidden(first(frame), mem1)
            _, mem2 = out(second(fired), mem2)
            record.append(mem2)
        loss = torch.nn.functional.cross_entropy(torch.stack(record).mean(0), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


def ours(rule: str, spikes: Tensor, labels: Tensor, schedule: str = "by_layer") -> Step:
    """`Learner.step` of one rule: bptt on the network that snnTorch trains, local rules with their own settings."""
    peer = rule == "bptt"
    net = build_network(
        str(HIDDEN), (INPUTS,), CLASSES,
        neuron=f"lif:beta={BETA}" + (":reset_delay=true:surrogate=atan" if peer else ""),
        norm="none" if peer else "streaming", readout_neuron=f"leaky_readout:beta={BETA if peer else 0.0}",
    )  # fmt: skip
    learner = Learner(net, rule, optimizer="adam", lr=LR, device="cpu", schedule=schedule)
    return lambda: learner.step(spikes, labels)


def systems(spikes: Tensor, labels: Tensor) -> dict[str, Step]:
    """Every step that is measured, by name."""
    made = {"bare products": bare_products(spikes, labels), "snnTorch BPTT": snntorch_step(spikes, labels)}
    rules = ("bptt", "sigprop:form=surrogate", "sigprop:form=voltage", "dfa", "local_readout")
    return made | {rule: ours(rule, spikes, labels) for rule in rules}


def show(table: Mapping[str, Mapping[str, float]], names: int = 24, width: int = 14) -> None:
    """Print a table of numbers, a row a system.

    Args:
        table: numbers by row and column; all rows have the same columns.
        names: characters of the rows' names.
        width: characters of each column.
    """
    columns = list(next(iter(table.values())))
    print(" " * names + "".join(f"{column:>{width}}" for column in columns))
    for name, row in table.items():
        print(f"{name:{names}}" + "".join(f"{row[column]:{width}.2f}" for column in columns))
    print()
