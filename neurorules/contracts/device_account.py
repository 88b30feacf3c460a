"""The contract of a device's account: the cost of a sample on it, term by term, and what its learning moves.

The library counts what happens in a sample (`SampleWork`), and a device says what each event takes and where the number
comes from. A term whose figure nobody has published has its count and no energy, and is not guessed.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol, runtime_checkable

Kind = Literal["backward", "eligibility", "sum", "factorised", "spike", "second_pass", "none"]
"""What a connection has to remember until its rule can change it: every step (backward), a decaying trace in each
synapse (eligibility), what each synapse's text brought so far (sum), one trace in each neuron at both ends
(factorised), nothing but a bit of each neuron (spike), one sum in each neuron and pass (second_pass). A connection with
none does not learn."""
Part = Literal["running", "learning"]


class Work(NamedTuple):
    """The work of one connection in one sample: spikes, operations and sizes.

    Args:
        name: of its weights, such as "hidden1.ff.w".
        inputs, outputs: numbers of neurons, >= 1.
        weights: number of stored weights, >= 1; of a convolution those of its kernel.
        steps: T, >= 1.
        spikes: of its inputs, >= 0; of inputs that do not spike, values other than 0.
        synops: synapses that they reach, >= 0.
        from_input: whether it reads the network's input.
        summed_outside: whether its input is constant, so that its product is made once, beside the chip.
        kind: what its rule has to remember.
        passes: further passes of the trial, in which it computes once more.
    """

    name: str
    inputs: int
    outputs: int
    weights: int
    steps: int
    spikes: float
    synops: float
    from_input: bool
    summed_outside: bool
    kind: Kind
    passes: int


class SampleWork(NamedTuple):
    """The work of a network in one sample.

    Args:
        connections: in the order of the network.
        spikes: of all hidden neurons.
        active: updates of neurons that fire.
        idle: all other updates of neurons.
    """

    connections: tuple[Work, ...]
    spikes: float
    active: float
    idle: float


class Term(NamedTuple):
    """One term of the energy of a sample.

    Args:
        part: whether running the network takes it, or learning takes it beside.
        name: synapses, input, neurons, routing, updates or memory.
        event: what is counted, in words.
        times: how often it happens in a sample, >= 0.
        each_pJ: what one takes; None where it is not published.
        state: whether the figure was measured, simulated or estimated.
        source: of the figure.
    """

    part: Part
    name: str
    event: str
    times: float
    each_pJ: float | None
    state: str
    source: str

    @property
    def pJ(self) -> float | None:
        """The energy of the term; None where its figure is not published and something is counted."""
        if self.each_pJ is None:
            return 0.0 if self.times == 0 else None
        return self.times * self.each_pJ


class Bytes(NamedTuple):
    """Bytes that running a network takes, or learning beside, in one sample.

    Args:
        stored: that have to be kept: weights and states of neurons, or what learning reads later.
        read, written: from and to memory.
    """

    stored: float
    read: float
    written: float


class Account(NamedTuple):
    """The energy and the wear that a sample costs on a device.

    Args:
        terms: of the energy.
        running: bytes of weights and of neurons' states, in a forward pass.
        moved: by the rule that the network learns by.
        moved_globally: by backpropagation through time on the same network, for comparison.
    """

    terms: tuple[Term, ...]
    running: Bytes
    moved: Bytes
    moved_globally: Bytes


@runtime_checkable
class Accounting(Protocol):
    """A device that says what a sample costs on it."""

    def account(self, sample: SampleWork) -> Account:
        """The account of one sample.

        Args:
            sample: what happens in it.

        Returns:
            Terms of energy with the source of each figure, and the bytes of learning.
        """
        ...
