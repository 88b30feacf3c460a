"""The cost of a sample on a chip: counts of events times published figures, each with its source.

    E = synops e_syn + input synops e_syn + active e_act + idle e_idle + spikes e_hop
        + weight updates e_learn + bytes read e_r + bytes written e_w

Terms stand alone. One whose figure is not published has its count and no energy. Counts times constants are an
estimate, whatever the constants are; leakage is left out, since no time of a sample is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

from hardware_models.traffic import Widths, moved
from neurorules.contracts.device_account import Account, Bytes, Part, SampleWork, Term, Work

Event = Literal["synop", "active", "idle", "hop", "weight_update", "byte_read", "byte_written"]
"""The kinds of events that are counted in a sample."""


class Figure(NamedTuple):
    """The energy that one event takes on a chip, as published or estimated.

    Args:
        pJ: its energy, >= 0.
        state: measured, simulated, estimated, or published for the chip without saying how.
        source: where the number stands.
    """

    pJ: float
    state: str
    source: str


Figures = Mapping[Event, Figure]
TERMS: tuple[tuple[Part, str, str, Event], ...] = (
    ("running", "synapses", "synaptic operations of hidden neurons' spikes", "synop"),
    ("running", "input", "synaptic operations of the input's spikes", "synop"),
    ("running", "neurons", "updates of neurons that fire", "active"),
    ("running", "neurons", "updates of other neurons", "idle"),
    ("running", "routing", "spikes that are sent", "hop"),
    ("learning", "updates", "changes of a weight", "weight_update"),
    ("learning", "memory", "bytes read", "byte_read"),
    ("learning", "memory", "bytes written", "byte_written"),
)
"""Part, name and words of each term, and the event whose figure it takes."""


class Accountant:
    """A device that gives an account of a sample from its class's figures and widths."""

    figures: ClassVar[Figures] = {}
    """The energy of each kind of event on the chip; a missing one is not published."""
    unpublished: ClassVar[str] = "no published figure"
    """The reason why figures are missing."""
    widths: ClassVar[Widths] = Widths()
    """Bytes of what the chip keeps."""

    def account(self, sample: SampleWork) -> Account:
        """Count a sample's events and what they take.

        Args:
            sample: what happens in it.

        Returns:
            Terms of energy with the source of each figure, and the bytes of learning.
        """
        return account(sample, self.figures, self.unpublished, self.widths)


def account(sample: SampleWork, figures: Figures, unpublished: str, widths: Widths) -> Account:
    """The account of one sample.

    Args:
        sample: what happens in it.
        figures: figures of the chip.
        unpublished: why others are missing.
        widths: bytes of what the chip keeps.

    Returns:
        Every term, and the bytes that a forward pass, its rule and backpropagation through time move.
    """
    own = _total([moved(work, widths, work.kind) for work in sample.connections])
    learning = [work for work in sample.connections if work.kind != "none"]
    moved_globally = _total([moved(work, widths, "backward") for work in learning])
    first = [work for work in sample.connections if work.from_input]
    counts = (
        sum(work.synops for work in sample.connections if not work.from_input),
        sum(work.synops for work in first if not work.summed_outside),
        sample.active, sample.idle, sample.spikes, sum(map(changes, learning)), own.read, own.written,
    )  # fmt: skip
    terms = []
    for (part, name, event, figure), count in zip(TERMS, counts, strict=True):
        own_figure = figures.get(figure)
        each, state, source = own_figure or (None, "not published", unpublished)
        terms.append(Term(part, name, event, float(count), each, state, source))
    return Account(tuple(terms), running(sample, widths), own, moved_globally)


def running(sample: SampleWork, widths: Widths) -> Bytes:
    """The bytes that a forward pass takes: each synaptic operation reads a weight, each update of a neuron its state.

    Args:
        sample: what happens in it.
        widths: bytes of what the chip keeps.

    Returns:
        Bytes of all weights and states; those that are read, and the states that are written. A constant input, which
        is summed beside the chip, reads its weights once.
    """
    updates = sample.active + sample.idle
    weights = widths.weight * sum(work.weights for work in sample.connections)
    states = widths.state * updates / sample.connections[0].steps
    moved_states = widths.state * updates
    read = widths.weight * sum(work.synops for work in sample.connections) + moved_states
    return Bytes(weights + states, read, moved_states)


def changes(work: Work) -> float:
    """The number of times that a weight of a connection is changed in a sample.

    Args:
        work: work of the connection, which learns from each sample by itself.

    Returns:
        Once for each synapse that a spike reaches where the rule changes weights at spikes, else once for each weight.
    """
    return work.synops if work.kind == "spike" else float(work.weights)


def _total(parts: list[Bytes]) -> Bytes:
    return Bytes(*(float(sum(values)) for values in zip(*parts, strict=True))) if parts else Bytes(0.0, 0.0, 0.0)
