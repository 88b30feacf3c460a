"""The variables that texts read of the neurons at one end of their synapses: spikes, membranes, declared traces, and
the past of these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from neurorules.contracts.chip import Chip
from neurorules.contracts.device_hooks import Place
from neurorules.contracts.series import Series
from neurorules.language.expressions import PAST, Call, Expression, Name, Number, calls_in, names_in, show
from neurorules.language.neuron_trace import MEMBRANE, SPIKES, Trace
from neurorules.network.products import value_of
from neurorules.torch_path.update.eligibility import delayed, trace
from neurorules.torch_path.update.local_view import LocalView


@dataclass(frozen=True)
class Neurons:
    """The neurons at one end of the synapses of a layer, in one window.

    Args:
        view: the local view of the layer, which stores traces for other texts and for the next window.
        key: "post" or "pre.<connection>", the beginning of the names under which the view stores traces.
        spikes: (T, B, *shape), or constant (B, *shape).
        membrane: before the reset, (T, B, *shape); None for presynaptic neurons, since connections carry only spikes.
        psi: the pseudo-derivative of the neurons as a function of the membrane.
    """

    view: LocalView
    key: str
    spikes: Series
    membrane: Series | None
    psi: Callable[[Tensor], Tensor]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the neurons, without steps and rows."""
        return tuple(self.spikes.values.shape[1 if self.spikes.constant else 2 :])

    def names_of(self, expression: Expression, suffix: str = "") -> dict[str, Tensor]:
        """The value of each variable, trace, `before` and `delay` of these neurons that an expression reads.

        Args:
            expression: a factor of a text, or the text of a trace.
            suffix: the suffix of the variables of these neurons in the expression, such as "_post"; empty in the text
                of a trace.

        Returns:
            Values by name or call, as the expression writes it, (T, B, *shape) or constant (B, *shape).
        """
        names = {}
        for name in set(names_in(expression)):
            stem = name.removesuffix(suffix)
            if name.endswith(suffix) and (stem in (SPIKES, MEMBRANE) or stem in self.view.traces):
                names[name] = self.series(stem).values
        for call in calls_in(expression):
            match call:
                case Call(function, (Name(name), *_)) if function in PAST and name.endswith(suffix):
                    names[show(call)] = self._past(call, name.removesuffix(suffix))
        return names

    def series(self, name: str) -> Series:
        """The spikes, the membrane or a declared trace of these neurons over the window.

        Args:
            name: without a suffix.

        Returns:
            The values, (T, B, *shape) or constant (B, *shape).
        """
        if name == SPIKES:
            return self.spikes
        if name == MEMBRANE:
            if self.membrane is None:
                raise LookupError("no text reads the membrane of a presynaptic neuron")
            return self.membrane
        declared, key = self.view.traces[name], f"{self.key}.{name}"
        if key in self.view.traced:
            return Series(self.view.traced[key], False)
        if self.view.chip is not None and self.view.chip.traces:
            return Series(self._on_chip(declared, key, self.view.chip), False)
        if declared.spikes == "nearest":
            return Series(self._nearest(declared, key)[0], False)
        return Series(trace(self.view, key, self.increment(declared), declared.decay), False)

    def increment(self, declared: Trace) -> Series:
        """The increment of a trace in each step: the value of its text.

        Args:
            declared: the trace.

        Returns:
            The values, (T, B, *shape) or constant (B, *shape).
        """
        if declared.expression == Name(SPIKES):
            return self.spikes
        constants: dict[str, Tensor | float] = dict(self.view.constants)
        value = value_of(declared.expression, constants | self.names_of(declared.expression), self.psi, lambda a: a)
        if not isinstance(value, Tensor):
            value = torch.full_like(self.spikes.values if self.spikes.constant else self.spikes.values[0], value)
        return Series.of(value, self.shape)

    def _past(self, call: Call, name: str) -> Tensor:
        match call:
            case Call("delay", (_, Number(ago))):
                key = f"{self.key}.delay({name}, {int(ago)})"
                return delayed(self.view, key, self.series(name), int(ago))
        declared = self.view.traces[name]
        on_chip = self.view.chip is not None and self.view.chip.traces
        if declared.spikes == "nearest" and not on_chip:
            return self._nearest(declared, f"{self.key}.{name}")[1]
        return self.series(name).values - self.increment(declared).values

    def _on_chip(self, declared: Trace, key: str, chip: Chip) -> Tensor:
        """A trace by a chip's own trace step; its last value is stored in the view's traces for the next window."""
        view = self.view
        increments = self.increment(declared).over_time(view.activity.steps)
        place = Place(view.phase, view.layer.name, view.first)
        view.traced[key] = chip.traced(place, declared, key, increments, view.carry.traces.get(key))
        view.carry.traces[key] = view.traced[key][-1]
        return view.traced[key]

    def _nearest(self, declared: Trace, key: str) -> tuple[Tensor, Tensor]:
        """A trace that each spike sets to a new value: after each step, and before the increment of the step, (T, B,
        *shape) each.

        Their last value is stored in the view's traces for the next window.
        """
        if key not in self.view.traced:
            steps = self.view.activity.steps
            increments = self.increment(declared).over_time(steps)
            fires = (self.spikes.over_time(steps) != 0).expand_as(increments)
            start = self.view.carry.traces.get(key)
            start = torch.zeros_like(increments[0]) if start is None else start
            clock = torch.arange(1, steps + 1, device=increments.device).reshape(-1, *(1,) * (increments.ndim - 1))
            last = torch.where(fires, clock, 0).cummax(0).values  # the step of the last spike, from 1; 0 for none yet
            values = torch.cat([start[None], increments]).gather(0, last)
            after = values * declared.decay ** (clock - last).to(increments.dtype)
            self.view.carry.traces[key] = after[-1]
            before = declared.decay * torch.cat([start[None], after[:-1]])
            self.view.traced[key], self.view.traced[f"before.{key}"] = after, before
        return self.view.traced[key], self.view.traced[f"before.{key}"]
