"""A refractory period around any neuron with a threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.gates import Crossing
from neurorules.contracts.neuron import Brian2Text, Gates, Neuron, Observed
from neurorules.contracts.no_text import no_spike_times
from neurorules.contracts.own_effects import Adaptation
from neurorules.contracts.threshold_neuron import ThresholdNeuron


class RefractoryState(NamedTuple):
    """The state after a step.

    Args:
        neuron: the state of the wrapped neuron.
        left: number of steps for which the neuron cannot spike, (B, *shape); equal to the period exactly if it has just
            spiked.
    """

    neuron: tuple[Any, ...]
    left: Tensor


@dataclass(frozen=True)
class Refractory(Neuron[RefractoryState]):
    """For some steps after a spike, the membrane keeps its value after the reset: no leak, no input, no spike.

    A synaptic current or an adaptation continues. Only spikes cause resets: a membrane that waits above its threshold
    is not reset again. psi is 0 while the neuron cannot spike.

    Args:
        neuron: the neuron whose membrane is held.
        period: number of steps after a spike in which it is held, >= 1.
    """

    neuron: ThresholdNeuron[Any]
    period: int
    spiking = True

    def initial(self, current: Tensor) -> RefractoryState:
        return RefractoryState(self.neuron.initial(current), torch.zeros_like(current))

    def step(self, state: RefractoryState, current: Tensor) -> tuple[Tensor, Observed, RefractoryState]:
        neuron, before, free = self.neuron, (state.left == self.period).to(current.dtype), state.left <= 0
        late = before if neuron.reset_delay else torch.zeros_like(before)
        moved = neuron.integrate(state.neuron, current, late)
        held = neuron.hold(state.neuron, moved, late)
        here = type(moved)(*(torch.where(free, a, b) for a, b in zip(moved, held, strict=True)))
        v = neuron.v(here)
        can_spike = free.to(current.dtype)
        spikes = neuron.spikes(v) * can_spike
        left = spikes * self.period + (1 - spikes) * (state.left - 1).clamp(min=0)
        gates = self._gates(neuron.gates(state.neuron, before), neuron.keep_hold(before), can_spike)
        return spikes, Observed(v, gates=gates), RefractoryState(neuron.settle(here, spikes, late), left)

    def _gates(self, free: Gates, keep_hold: Tensor, can_spike: Tensor) -> Gates:
        return Gates(can_spike * free.keep + (1 - can_spike) * keep_hold, can_spike * free.admit, can_spike)

    def psi(self, v: Tensor) -> Tensor:
        return self.neuron.psi(v)

    def primitive(self, v: Tensor) -> Tensor:
        return self.neuron.primitive(v)

    @property
    def scale(self) -> float | Tensor:
        """The scale of the wrapped neuron."""
        return self.neuron.scale

    @property
    def current_decay(self) -> float | Tensor:
        """The decay of the synaptic current of the wrapped neuron."""
        return self.neuron.current_decay

    def crossing(self) -> Crossing:
        raise no_spike_times("a refractory period holds the membrane after a spike, whatever its current")

    @property
    def adaptation(self) -> Adaptation | None:
        """The adaptation of the wrapped neuron, which continues during the refractory period."""
        return self.neuron.adaptation

    @property
    def steadier(self) -> str:  # type: ignore[override]
        """The wrapped neuron's advice against divergence."""
        return self.neuron.steadier

    @property
    def work(self) -> int:  # type: ignore[override]
        """The integration steps of the wrapped neuron inside one time step."""
        return self.neuron.work

    @property
    def pools_layer(self) -> bool:  # type: ignore[override]
        """Whether the wrapped neuron depends on the others of its population."""
        return self.neuron.pools_layer

    @property
    def learns(self) -> tuple[str, ...]:  # type: ignore[override]
        """The names of the wrapped neuron's learned parameters."""
        return self.neuron.learns

    def in_population(self, shape: tuple[int, ...]) -> Refractory:
        return self._around(self.neuron.in_population(shape))

    def parameters(self, shape: tuple[int, ...]) -> dict[str, Tensor]:
        return self.neuron.parameters(shape)

    def with_parameters(self, own: Mapping[str, Tensor]) -> Refractory:
        return self._around(self.neuron.with_parameters(own))

    def to(self, device: torch.device, dtype: torch.dtype) -> Refractory:
        return self._around(self.neuron.to(device, dtype))

    def _around(self, neuron: Neuron[Any]) -> Refractory:
        """Wrap another neuron of the same kind in this refractory period."""
        assert isinstance(neuron, ThresholdNeuron)
        return replace(self, neuron=neuron)

    def brian2(self) -> Brian2Text:
        parts = self.neuron.brian2_parts()
        late = ("int(S > 0)" if self.neuron.reset_delay else "0.0") if parts.late else ""
        lines = (
            *([f"late = {late}"] if late else []),
            "free = int(left <= 0)",
            f"keep = free*{parts.keep} + (1 - free){parts.keep_hold}",
            f"admit = free*{parts.admit}",
            *parts.integrate,
            f"mem = free*mem + (1 - free)*{parts.hold}",
            f"v = {parts.v}",
            "S = int(v - v_threshold > 0)*free",
            "left = S*refractory_steps + (1 - S)*clip(left - 1, 0, inf)",
            *parts.settle,
        )
        numbers = {**parts.numbers, "refractory_steps": float(self.period)}
        state = ("keep", "admit", *parts.state, "left", "free")
        return Brian2Text(lines, numbers, self.neuron.surrogate, state, parts.current, rests=True)


def with_refractory_period(neuron: ThresholdNeuron[Any], steps: int) -> ThresholdNeuron[Any] | Refractory:
    """Add a refractory period to a neuron, unless its length is 0.

    Args:
        neuron: the neuron.
        steps: length of the period in steps, >= 0.
    """
    return Refractory(neuron, steps) if steps else neuron
