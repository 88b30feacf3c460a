"""Bytes that learning stores, reads and writes for one dense connection and sample, by the kind of rule.

The forward pass itself is left out: it reads weights and membranes whether a net learns or not. With I inputs, O
outputs, T steps, n presynaptic spikes, and bytes s of a state, e of a trace, g of an accumulator and w of a weight:

    kind         stored              read                                     written
    backward     TO(s + 1/8) + IOg   TO(s + 1/8) + TIOw + nOg + IO(g + w)      TO(s + 1/8) + nOg + IOw
    eligibility  IOe                 TIOe + IO(e + w)                          TIOe + IOw
    factorised   (I + O)e            T(I + O)e + (I + O)e + IOw                T(I + O)e + IOw
    spike        O/8                 nO(w + 1/8)                               nOw + TO/8
    second_pass  (I + O)g            nOw + TOs + 2T(I + O)g + (I + O)g + IOw    TOs + 2T(I + O)g + IOw

- backward keeps membrane and spike of every step, reads the weights back at each of them, and adds up its gradient
  where presynaptic spikes were (BPTT).
- eligibility keeps a trace in every synapse, and its third factor comes at the end of the sample (e-prop).
- factorised keeps one trace in each neuron at both ends, and multiplies them at the end (ReckOn's e-prop).
- spike changes the weights of a presynaptic neuron when it fires, by one bit of each postsynaptic neuron that every
  step sets (SDSP; a rule with a boxcar or comparator).
- second_pass runs the layer once more and keeps two sums in each neuron, one for each pass (forward-only rules).

Source of the comparison: Frenkel & Indiveri 2022 (ReckOn) for factorised traces, Frenkel et al. 2019 (ODIN) for flags;
the counts are ours, and estimated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

from neurorules.language.ranges import NonNegative, Positive, Range, ranged

Kind = Literal["backward", "eligibility", "factorised", "spike", "second_pass"]
"""What a rule has to remember and to read."""
BIT = 1 / 8
"""Bytes of a bit."""
Count = Annotated[int, Range("[1, inf)")]


class Traffic(NamedTuple):
    """Bytes of learning, for one connection and sample.

    Args:
        stored: that have to be kept until learning reads them.
        read, written: from and to memory.
    """

    stored: float
    read: float
    written: float


@ranged("a connection's traffic")
@dataclass(frozen=True)
class Connection:
    """A dense connection in one sample.

    Args:
        inputs, outputs: numbers of neurons, >= 1.
        steps: T, >= 1.
        spikes: of all inputs in the sample, >= 0.
        weight, state, trace, accumulator: bytes of each, > 0.

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

    def traffic(self, kind: Kind) -> Traffic:
        """The bytes that learning moves; the module has the equations.

        Args:
            kind: of the rule.

        Returns:
            Bytes stored, read and written.
        """
        synapses, neurons = self.inputs * self.outputs, self.inputs + self.outputs
        reached, changed = self.spikes * self.outputs, synapses * self.weight
        match kind:
            case "backward":
                history = self.steps * self.outputs * (self.state + BIT)
                read = history + self.steps * changed + reached * self.accumulator + synapses * self.accumulator
                written = history + reached * self.accumulator + changed
                return Traffic(history + synapses * self.accumulator, read + changed, written)
            case "eligibility":
                each = synapses * self.trace
                return Traffic(each, self.steps * each + each + changed, self.steps * each + changed)
            case "factorised":
                each = neurons * self.trace
                return Traffic(each, self.steps * each + each + changed, self.steps * each + changed)
            case "spike":
                flags = self.steps * self.outputs * BIT
                return Traffic(self.outputs * BIT, reached * (self.weight + BIT), reached * self.weight + flags)
        each, states = neurons * self.accumulator, self.steps * self.outputs * self.state
        sums = 2 * self.steps * each
        return Traffic(each, reached * self.weight + states + sums + each + changed, states + sums + changed)
