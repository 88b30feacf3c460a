"""Energy by term and memory traffic of learning: worked counts, NeuroBench's, and memories that count every access."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from hardware_models.account import Figure, Figures, account
from hardware_models.devices.loihi import Loihi
from hardware_models.operations import operations_of
from hardware_models.traffic import BIT, Connection, Widths, moved
from neurorules.contracts.device import DEVICES
from neurorules.contracts.device_account import Account, Accounting, Bytes, Kind, SampleWork, Work
from neurorules.language.errors import UserError


def work(**given: Any) -> Work:
    own: dict[str, Any] = {
        "name": "hidden1.ff.w", "inputs": 3, "outputs": 4, "weights": 12, "steps": 10, "spikes": 5.0, "synops": 20.0,
        "from_input": False, "summed_outside": False, "kind": "none", "passes": 0,
    }  # fmt: skip
    return Work(**{**own, **given})


def by_event(told: Account) -> dict[str, float | None]:
    return {term.event: term.pJ for term in told.terms}


def test_the_worked_example_of_loihi() -> None:
    dense = operations_of(torch.ones(4, 3), torch.tensor([[1.0, 1, 0], [1, 1, 1]]))
    assert dense.effective == 20  # 5 spikes, 4 synapses each
    told = Loihi().account(SampleWork((work(synops=float(dense.effective)),), 5.0, 3.0, 37.0))
    energy = by_event(told)
    assert energy["synaptic operations of hidden neurons' spikes"] == pytest.approx(472.0)
    active, idle = energy["updates of neurons that fire"], energy["updates of other neurons"]
    assert active is not None and idle is not None and active + idle == pytest.approx(2167.0)
    assert energy["spikes that are sent"] == pytest.approx(8.5)
    assert energy["changes of a weight"] == energy["bytes read"] == 0.0  # it does not learn


@pytest.mark.parametrize(
    ("name", "pJ"), [("odin", 254.0), ("reckon", 106.0), ("fixed_point", 20 * (10 / 8 + 0.03)), ("xylo", None)]
)
def test_a_synaptic_operation_takes_what_is_published_for_the_chip_or_nothing_is_said(
    name: str, pJ: float | None
) -> None:
    told = by_event(DEVICES.make(name).account(SampleWork((work(),), 7.0, 3.0, 37.0)))
    assert told["synaptic operations of hidden neurons' spikes"] == (None if pJ is None else pytest.approx(pJ))
    coarse = by_event(DEVICES.make("fixed_point:bits=4").account(SampleWork((work(),), 7.0, 3.0, 37.0)))
    assert coarse["synaptic operations of hidden neurons' spikes"] == pytest.approx(10 * (10 / 8 + 0.03))


def test_bytes_of_running_are_those_of_a_forward_pass_that_counts_every_access() -> None:
    spikes = torch.rand(7, 5, generator=torch.Generator().manual_seed(1)) < 0.5
    memory = Memory()
    memory.keeps(5 * 3, 0.5)
    memory.keeps(3, 2.0)
    for t in range(7):
        for _ in range(3):
            memory.change(2.0)
            memory.read += 0.5 * int(spikes[t].sum())
    reached = float(spikes.sum()) * 3
    own = work(inputs=5, outputs=3, weights=15, steps=7, spikes=float(spikes.sum()), synops=reached)
    told = account(SampleWork((own,), 0.0, 4.0, 17.0), {}, "nobody says", Widths(weight=0.5, state=2.0))
    assert told.running == Bytes(memory.stored, memory.read, memory.written)
    beside = own._replace(from_input=True, summed_outside=True)
    assert account(SampleWork((beside, own), 0.0, 4.0, 17.0), {}, "", Widths(0.5)).running.stored == 15 + 6


def test_every_term_stands_alone_and_what_is_not_published_is_not_guessed() -> None:
    figures: Figures = {"synop": Figure(2.0, "measured", "a page"), "byte_read": Figure(3.0, "measured", "a page")}
    sample = SampleWork((work(from_input=True), work(synops=7.0, kind="sum")), 5.0, 3.0, 37.0)
    told = account(sample, figures, "nobody says", Widths())
    energy = by_event(told)
    assert energy["synaptic operations of hidden neurons' spikes"] == 14.0
    assert energy["synaptic operations of the input's spikes"] == 40.0
    assert energy["bytes read"] == pytest.approx(3.0 * told.moved.read) and energy["updates of other neurons"] is None
    assert {t.source for t in told.terms if t.each_pJ is None} == {"nobody says"}
    beside = account(SampleWork((work(from_input=True, summed_outside=True),), 0.0, 0.0, 1.0), figures, "", Widths())
    assert by_event(beside)["synaptic operations of the input's spikes"] == 0.0


@pytest.mark.parametrize(("kind", "changes"), [("spike", 20.0), ("sum", 12.0), ("backward", 12.0), ("none", 0.0)])
def test_a_weight_is_changed_at_spikes_or_once_a_sample(kind: Kind, changes: float) -> None:
    told = Loihi().account(SampleWork((work(kind=kind),), 5.0, 3.0, 37.0))
    (term,) = (t for t in told.terms if t.event == "changes of a weight")
    assert term.times == changes and term.pJ == pytest.approx(120.0 * changes)


@pytest.mark.parametrize("name", sorted(DEVICES.names()))
def test_every_device_counts_and_says_whence_its_figures_come(name: str) -> None:
    device = DEVICES.make(name)
    assert isinstance(device, Accounting)
    sample = SampleWork((work(kind="sum"), work(kind="factorised", passes=1)), 5.0, 3.0, 37.0)
    told = device.account(sample)
    states = {"simulated before silicon", "published for the chip", "estimated", "not published"}
    assert all(
        t.source and t.state in states and (t.each_pJ is None) == (t.state == "not published") for t in told.terms
    )
    assert told.moved_globally.stored > told.moved.stored > 0  # the history of 10 steps beside sums


def test_bytes_of_a_rule_follow_its_kind_and_its_passes() -> None:
    c = Connection(3, 4, 10, 5.0)
    assert moved(work(), Widths(), "factorised") == c.traffic("factorised")
    assert moved(work(passes=1), Widths(), "factorised") == c.traffic("second_pass")
    own, again = c.traffic("sum"), c.further_pass()
    twice = moved(work(passes=2), Widths(), "sum")
    assert twice == Bytes(own.stored, own.read + 2 * again.read, own.written + 2 * again.written)
    assert moved(work(passes=1), Widths(), "backward") == c.traffic("backward")
    shared = Connection(3, 4, 10, 5.0, weights=2, synops=9.0)
    assert shared.traffic("spike").read == 9 * (1 + BIT) and shared.traffic("eligibility").stored == 2 * 2


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


def access(kind: Kind, c: Connection, spikes: torch.Tensor) -> Bytes:
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
        case "sum":
            memory.keeps(len(synapses), c.accumulator)
            for t in steps:
                for i, _ in synapses:
                    if spikes[t, i]:
                        memory.change(c.accumulator)
            for _ in synapses:
                memory.read += c.accumulator
        case "spike":
            memory.keeps(c.outputs, BIT)
            for t in steps:
                for _ in outs:
                    memory.written += BIT
                for _ in range(int(spikes[t].sum())):
                    for _ in outs:
                        memory.read += BIT
                        memory.change(c.weight)
            return Bytes(memory.stored, memory.read, memory.written)
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
    return Bytes(memory.stored, memory.read, memory.written)


@pytest.mark.parametrize("kind", ["backward", "eligibility", "sum", "factorised", "spike", "second_pass"])
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


def test_one_more_pass_reads_weights_at_spikes_and_moves_states() -> None:
    spikes = torch.rand(7, 5, generator=torch.Generator().manual_seed(1)) < 0.5
    memory = Memory()
    for t in range(7):
        for _ in range(3):
            memory.change(2.0)
            memory.read += 1.0 * int(spikes[t].sum())
    assert Connection(5, 3, 7, float(spikes.sum())).further_pass() == Bytes(0.0, memory.read, memory.written)


def test_a_connection_without_neurons_is_refused() -> None:
    with pytest.raises(UserError, match="inputs") as refused:
        Connection(0, 3, 5, 1.0)
    assert "\n" not in str(refused.value)
