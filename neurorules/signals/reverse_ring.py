"""The reverse circuit of five-element neurons: the error travels backwards as a signal through mirrored rings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.parameter_key import key_of
from neurorules.contracts.series import Series
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor
from neurorules.contracts.view import View, from_above, require
from neurorules.language.errors import UserError
from neurorules.native.rings import Mode, ModeName
from neurorules.neurons._rings import FiveElement


@dataclass(frozen=True)
class ReverseRing(Signal):
    """m_n is the signal that arrives at the drive variable of the mirrored ring of neuron n.

    At the output, the error enters the mirrored ring at S. At a hidden neuron, sum_k W_kn m_k enters there instead. The
    weight change, G1, is m_n s_m: the reverse signal times the forward signal. This is a reconstruction, since the
    paper's equations are not public (see `rules.bsp`).

    Args:
        mode: how the mirrored ring is run. "exact" linearises it along the forward run, which has to be stored; "final"
            around the last state of that run; "fixed" around the fixed point; "lead" uses only the leading term of the
            shortest causal path; "discrete" is the adjoint of the steps of the forward run, and gives the gradient up
            to rounding.
        fixed_points: whether the neurons' own fixed points learn.
    """

    mode: ModeName = "final"
    fixed_points: bool = False
    needs = frozenset({"target", "output_error", "weight_transport", "above", "reverse_circuit"})
    teaches_readout = True

    @cached_property
    def teaches_neurons(self) -> bool:  # type: ignore[override]
        """Whether the neurons' own fixed points learn."""
        return self.fixed_points

    def check(self, net: NetShape) -> None:
        for layer in net.layers:
            if not isinstance(layer.neuron, FiveElement):
                kind = "--readout-neuron" if layer is net.layers[-1] else "--neuron"
                raise UserError(
                    f"the reverse circuit runs through five-element rings, and layer '{layer.name}' has none. "
                    f"Use {kind} five_element, or --rule spiking_bsp for spiking neurons"
                )
            if any(key_of(name).connection == "rec" for name in layer.weights):
                raise UserError(
                    f"BSP lacks a time in which layer '{layer.name}' could read itself: its rings run one step. "
                    f"Use a net without r, or --rule bptt for this one"
                )
            if len(layer.shape) > 1:
                raise UserError(
                    f"BSP lacks a mirrored connection for each synapse of layer '{layer.name}', a convolution, whose "
                    f"synapses share their weights. Use a dense net such as --net 100, or --rule bptt for this one"
                )

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        output_error = require(view.output_error, "output_error")
        error = output_error if view.readout else from_above(view).values
        neuron = view.layer.neuron
        assert isinstance(neuron, FiveElement)
        error = error.reshape(output_error.shape[0], *view.layer.shape)
        arrived, sums = neuron.reverse(Mode.of(self.mode), error, view.inner["input"], self.fixed_points)
        gradients = {} if sums is None else {f"{view.layer.name}.log_rest": sums}
        m = Series(arrived, True)
        return ThirdFactor({"input": m}, gradients, {}, sent=m)


ENTRY = ReverseRing
