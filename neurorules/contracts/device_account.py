"""The contract for reporting costs: the energy of a sample on a device by term, and the memory traffic of learning.

`neurorules deploy` prints such an account. The library counts the events of a sample (`SampleWork`), and the device
says what each event costs and cites the source of the figure. If no figure has been published, the term has a count and
no energy; no figure is guessed.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol, runtime_checkable

Kind = Literal["backward", "eligibility", "sum", "factorised", "spike", "second_pass", "none"]
"""What a connection has to store until its rule can change it: every step (backward); a decaying trace in each synapse
(eligibility); the sum of each synapse's text so far (sum); one trace in each neuron at both ends (factorised); one bit
in each neuron (spike); one sum in each neuron and pass (second_pass). A connection of kind "none" does not learn."""
Part = Literal["running", "learning"]


class Work(NamedTuple):
    """The work of one connection in one sample: spikes, operations and sizes.

    Args:
        name: the name of its weights, such as "hidden1.ff.w".
        inputs, outputs: numbers of presynaptic and postsynaptic neurons, >= 1.
        weights: number of stored weights, >= 1; for a convolution, the number in its kernel.
        steps: T, >= 1.
        spikes: number of presynaptic spikes, >= 0; for inputs that do not spike, the number of nonzero values.
        synops: number of synapses that these spikes reach, >= 0.
        from_input: whether the connection reads the network's input.
        summed_outside: whether the input is constant, so that its product is computed once, off the chip.
        kind: what the rule has to store.
        passes: number of further passes in a trial, in each of which the connection computes again.
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
        spikes: number of spikes of all hidden neurons.
        active: number of updates of neurons that fire.
        idle: number of all other updates of neurons.
    """

    connections: tuple[Work, ...]
    spikes: float
    active: float
    idle: float


class Term(NamedTuple):
    """One term in the energy of a sample.

    Args:
        part: whether the term belongs to running the network or to learning.
        name: synapses, input, neurons, routing, updates or memory.
        event: what is counted, as a phrase.
        times: how often the event happens in a sample, >= 0.
        each_pJ: energy of one event; None where no figure has been published.
        state: whether the figure was measured, simulated or estimated.
        source: the source of the figure.
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
        """The energy of the term; None where the figure is not published and the count is not 0."""
        if self.each_pJ is None:
            return 0.0 if self.times == 0 else None
        return self.times * self.each_pJ


class Bytes(NamedTuple):
    """Memory traffic of one sample, in bytes: that of running a network, or that of learning beside it.

    Args:
        stored: bytes that have to be kept: weights and neuron states, or what learning reads later.
        read, written: bytes read from memory and written to it.
    """

    stored: float
    read: float
    written: float


class Account(NamedTuple):
    """The energy and the memory traffic of one sample on a device.

    Args:
        terms: the terms of the energy.
        running: memory traffic of weights and neuron states in a forward pass.
        moved: memory traffic of the rule that the network learns by.
        moved_globally: memory traffic of backpropagation through time on the same network, for comparison.
    """

    terms: tuple[Term, ...]
    running: Bytes
    moved: Bytes
    moved_globally: Bytes


@runtime_checkable
class Accounting(Protocol):
    """A device that can report what a sample costs on it."""

    def account(self, sample: SampleWork) -> Account:
        """Compute the account of one sample.

        Args:
            sample: the events of the sample.

        Returns:
            The terms of the energy with their sources, and the memory traffic of learning.
        """
        ...
