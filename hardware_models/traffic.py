"""Bytes that learning stores, reads and writes for one dense connection and sample, by the kind of rule.

The forward pass itself is left out: it reads weights and membranes whether a net learns or not. With I inputs, O
outputs, T steps, n presynaptic spikes, and bytes s of a state, e of a trace, g of an accumulator and w of a weight:

    kind         stored              read                                     written
    sum          IOg                 nOg + IO(g + w)                          nOg + IOw
    backward     TO(s + 1/8) + IOg   TO(s + 1/8) + TIOw + nOg + IO(g + w)      TO(s + 1/8) + nOg + IOw
    eligibility  IOe                 TIOe + IO(e + w)                          TIOe + IOw
    factorised   (I + O)e            T(I + O)e + (I + O)e + IOw                T(I + O)e + IOw
    spike        O/8                 nO(w + 1/8)                               nOw + TO/8
    second_pass  (I + O)g            nOw + TOs + 2T(I + O)g + (I + O)g + IOw    TOs + 2T(I + O)g + IOw

- backward keeps membrane and spike of every step, reads the weights back at each of them, and adds up its gradient
  where presynaptic spikes were (BPTT).
- eligibility keeps a trace in every synapse, and its third factor comes at the end of the sample (e-prop).
- factorised keeps one trace in each neuron at both ends, and multiplies them at the end (ReckOn's e-prop).
- sum adds up in every synapse what its text brings when its presynaptic neuron fires, until the third factor comes.
- spike changes the weights of a presynaptic neuron when it fires, by one bit of each postsynaptic neuron that every
  step sets (SDSP; a rule with a boxcar or comparator).
- second_pass runs the layer once more and keeps two sums in each neuron, one for each pass (forward-only rules).

Source of the comparison: Frenkel & Indiveri 2022 (ReckOn) for factorised traces, Frenkel et al. 2019 (ODIN) for flags;
the counts are ours, and estimated. A further pass of another kind of rule reads nOw + TOs and writes TOs. A convolution
has fewer weights than IO, and its spikes reach fewer synapses than nO; both can be said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from neurorules.contracts.device_account import Bytes, Kind, Work
from neurorules.language.ranges import NonNegative, Positive, Range, ranged

BIT = 1 / 8
"""Bytes of a bit."""
Count = Annotated[int, Range("[1, inf)")]


@ranged("a connection's traffic")
@dataclass(frozen=True)
class Connection:
    """A dense connection in one sample.

    Args:
        inputs, outputs: numbers of neurons, >= 1.
        steps: T, >= 1.
        spikes: spikes of all inputs in the sample, >= 0.
        weight, state, trace, accumulator: bytes of each, > 0.
        weights: number of weights; None for inputs times outputs.
        synops: synapses that the spikes reach, >= 0; None for spikes times outputs.

    Raises:
        UserError: a value outside its range.
    """

    inputs: Count
    outputs: Count
    steps: Count
    spikes: NonNegative
    weight: Positive = 1.0
    state: Positive = 2.0
    trace: Positive = 2.0
    accumulator: Positive = 4.0
    weights: Count | None = None
    synops: NonNegative | None = None

    def traffic(self, kind: Kind) -> Bytes:
        """The bytes that learning moves; the module has the equations.

        Args:
            kind: kind of the rule.

        Returns:
            Bytes stored, read and written.
        """
        neurons, synapses = self.inputs + self.outputs, self._synapses
        reached, changed = self._reached, synapses * self.weight
        match kind:
            case "backward":
                history = self.steps * self.outputs * (self.state + BIT)
                read = history + self.steps * changed + reached * self.accumulator + synapses * self.accumulator
                written = history + reached * self.accumulator + changed
                return Bytes(history + synapses * self.accumulator, read + changed, written)
            case "eligibility":
                each = synapses * self.trace
                return Bytes(each, self.steps * each + each + changed, self.steps * each + changed)
            case "factorised":
                each = neurons * self.trace
                return Bytes(each, self.steps * each + each + changed, self.steps * each + changed)
            case "sum":
                each = synapses * self.accumulator
                added = reached * self.accumulator
                return Bytes(each, added + each + changed, added + changed)
            case "none":
                return Bytes(0.0, 0.0, 0.0)
            case "spike":
                flags = self.steps * self.outputs * BIT
                return Bytes(self.outputs * BIT, reached * (self.weight + BIT), reached * self.weight + flags)
        each, states = neurons * self.accumulator, self.steps * self.outputs * self.state
        sums = 2 * self.steps * each
        return Bytes(each, reached * self.weight + states + sums + each + changed, states + sums + changed)

    def further_pass(self) -> Bytes:
        """The bytes that one more forward pass moves, in which the connection computes and does not learn.

        Returns:
            Nothing that is stored, and the bytes read and written.
        """
        states = self.steps * self.outputs * self.state
        return Bytes(0.0, self._reached * self.weight + states, states)

    @property
    def _synapses(self) -> int:
        return self.inputs * self.outputs if self.weights is None else self.weights

    @property
    def _reached(self) -> float:
        return self.spikes * self.outputs if self.synops is None else self.synops


@dataclass(frozen=True)
class Widths:
    """Bytes of what a chip keeps.

    Args:
        weight, state, trace, accumulator: bytes of each, > 0.
    """

    weight: float = 1.0
    state: float = 2.0
    trace: float = 2.0
    accumulator: float = 4.0


def moved(work: Work, widths: Widths, kind: Kind) -> Bytes:
    """The bytes that learning by a kind of rule takes, its further passes among them.

    Args:
        work: work of the connection.
        widths: widths of the chip.
        kind: kind of the rule. A factorised one with a second pass keeps a sum for each of the two.

    Returns:
        Bytes of one sample.
    """
    connection = Connection(
        work.inputs, work.outputs, work.steps, work.spikes, widths.weight, widths.state, widths.trace,
        widths.accumulator, work.weights, work.synops,
    )  # fmt: skip
    if kind in ("none", "backward"):
        return connection.traffic(kind)
    if kind == "factorised" and work.passes == 1:
        return connection.traffic("second_pass")
    own, again = connection.traffic(kind), connection.further_pass()
    return Bytes(own.stored, own.read + work.passes * again.read, own.written + work.passes * again.written)
