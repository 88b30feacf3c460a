"""Energy by term and memory traffic of learning: worked counts, NeuroBench's, and memories that count every access."""

from __future__ import annotations

import pytest
import torch

from hardware_models.energy import FIGURES, Events, Figures, energy_by_term, operations_of
from hardware_models.traffic import BIT, Connection, Kind, Traffic
from neurorules.language.errors import UserError


def test_the_worked_example_of_loihi() -> None:
    dense = operations_of(torch.ones(4, 3), torch.tensor([[1.0, 1, 0], [1, 1, 1]]))
    assert dense.effective == 20  # 5 spikes, 4 synapses each
    events = Events(synops=float(dense.effective), active=3.0, idle=37.0)
    energy = energy_by_term(events, FIGURES["loihi"])
    assert energy.terms == pytest.approx({"synapses": 472.0, "neurons": 2167.0}) and energy.left_out == ()


def test_every_term_stands_alone_and_what_is_not_known_is_named() -> None:
    events = Events(20.0, 3.0, 37.0, 5.0, 7.0, 100.0, 50.0, 2.0)
    figures = Figures(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)
    assert energy_by_term(events, figures).terms == pytest.approx(
        {"synapses": 20.0, "neurons": 117.0, "routing": 20.0, "learning": 35.0, "memory": 950.0, "static": 16e9}
    )
    loihi = energy_by_term(events, FIGURES["loihi"])
    assert loihi.terms["learning"] == pytest.approx(840.0) and loihi.left_out == ("memory", "static")
    odin = energy_by_term(Events(synops=10.0, active=1.0), FIGURES["odin"])
    assert odin.terms == pytest.approx({"synapses": 127.0}) and odin.left_out == ("neurons",)
    assert energy_by_term(events, figures._replace(idle=None)).left_out == ("neurons",)


def test_all_figures_say_whence_they_come() -> None:
    for figures in FIGURES.values():
        assert figures.source and figures.state in {"simulated before silicon", "published for the chip", "estimated"}


W = torch.tensor([[1.0, 1, 0, 0], [0.5] * 4, [0.0] * 4])


@pytest.mark.parametrize(
    ("x", "effective", "dense", "accumulate"),
    [
        ([[1.0, 0, 1, 1]], 4, 12, True),
        ([[0.0] * 4], 0, 12, True),
        ([[2.0, 0, 1, 0]], 3, 12, False),
        ([[-1.0, 1, 0, 0], [1, 1, 1, 1]], 10, 24, True),
    ],
)
def test_operations_of_a_dense_connection_are_those_of_neurobench(
    x: list[list[float]], effective: int, dense: int, accumulate: bool
) -> None:
    assert operations_of(W, torch.tensor(x)) == (effective, dense, accumulate)


def test_operations_of_a_convolution_leave_padding_out() -> None:
    ones = torch.ones(1, 1, 4, 4)
    assert operations_of(torch.ones(1, 1, 3, 3), ones, padding=1) == (100, 100, True)
    assert operations_of(torch.ones(2, 1, 3, 3), ones) == (72, 72, True)
    assert operations_of(torch.ones(1, 1, 2, 2), ones, stride=2).effective == 16


class Memory:
    """A memory that counts the bytes of every access, one item at a time."""

    items: dict[str, float]

    def __init__(self) -> None:
        self.read = self.written = self.stored = 0.0

    def keeps(self, items: int, size: float) -> None:
        self.stored += items * size

    def change(self, size: float) -> None:
        self.read, self.written = self.read + size, self.written + size


def access(kind: Kind, c: Connection, spikes: torch.Tensor) -> Traffic:
    """The loops of a rule over one sample, every access made one by one."""
    memory, ins, outs, steps = Memory(), range(c.inputs), range(c.outputs), range(c.steps)
    synapses = [(i, o) for i in ins for o in outs]
    neurons = [*ins, *outs]
    match kind:
        case "backward":
            memory.keeps(c.steps * c.outputs, c.state + BIT)
            memory.keeps(len(synapses), c.accumulator)
            for _ in steps:
                for _ in outs:
                    memory.written += c.state + BIT
            for t in reversed(steps):
                for _ in outs:
                    memory.read += c.state + BIT
                for i, _ in synapses:
                    memory.read += c.weight
                    if spikes[t, i]:
                        memory.change(c.accumulator)
            for _ in synapses:
                memory.read += c.accumulator
        case "eligibility" | "factorised":
            traces = synapses if kind == "eligibility" else neurons
            memory.keeps(len(traces), c.trace)
            for _ in steps:
                for _ in traces:
                    memory.change(c.trace)
            for _ in traces:
                memory.read += c.trace
        case "spike":
            memory.keeps(c.outputs, BIT)
            for t in steps:
                for _ in outs:
                    memory.written += BIT
                for _ in range(int(spikes[t].sum())):
                    for _ in outs:
                        memory.read += BIT
                        memory.change(c.weight)
            return Traffic(memory.stored, memory.read, memory.written)
        case "second_pass":
            memory.keeps(len(neurons), c.accumulator)
            for again in (False, True):
                for t in steps:
                    for _ in neurons:
                        memory.change(c.accumulator)
                    for _ in outs if again else ():
                        memory.change(c.state)
                        memory.read += c.weight * int(spikes[t].sum())
            for _ in neurons:
                memory.read += c.accumulator
    for _ in synapses:
        memory.change(c.weight)
    return Traffic(memory.stored, memory.read, memory.written)


@pytest.mark.parametrize("kind", ["backward", "eligibility", "factorised", "spike", "second_pass"])
@pytest.mark.parametrize(("inputs", "outputs", "steps"), [(5, 3, 7), (2, 6, 1), (1, 1, 4)])
def test_closed_forms_are_the_accesses_of_the_loops(kind: Kind, inputs: int, outputs: int, steps: int) -> None:
    spikes = torch.rand(steps, inputs, generator=torch.Generator().manual_seed(inputs)) < 0.5
    c = Connection(inputs, outputs, steps, float(spikes.sum()), weight=1.0, state=2.0, trace=1.5, accumulator=4.0)
    assert c.traffic(kind) == pytest.approx(access(kind, c, spikes))


def test_a_trace_in_every_synapse_costs_most_and_one_bit_of_a_neuron_least() -> None:
    c = Connection(256, 256, 100, 500.0)
    moved = {k: c.traffic(k).read + c.traffic(k).written for k in ("backward", "eligibility", "factorised", "spike")}
    assert moved["eligibility"] > moved["backward"] > moved["factorised"] and moved["spike"] < moved["backward"]
    assert c.traffic("spike").stored == 32 and c.traffic("factorised").stored == 1024


def test_a_connection_without_neurons_is_refused() -> None:
    with pytest.raises(UserError, match="inputs") as refused:
        Connection(0, 3, 5, 1.0)
    assert "\n" not in str(refused.value)
