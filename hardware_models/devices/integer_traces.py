"""Traces in registers of a few bits that decay by rounding at random, as those of a chip's learning engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor

from hardware_models.account import Accountant
from hardware_models.chip import generator_of
from hardware_models.readout_noise import generator_at
from hardware_models.rounding import nearest, stochastic
from neurorules.contracts.device_hooks import Place
from neurorules.language.errors import UserError
from neurorules.language.expressions import Name
from neurorules.language.neuron_trace import SPIKES, Trace
from neurorules.language.ranges import Range, Whole, ranged
from neurorules.language.rules import Rule

ROUNDING = 1e-9
"""By which a product of floats may fall short of the whole number that it is."""


@ranged("device 'integer_traces'")
@dataclass(frozen=True)
class IntegerTraces(Accountant):
    """x' = min(SR(decay x) + impulse S, top), top = 2^bits - 1, and a text reads x' / impulse.

    SR rounds to a whole number, up or down at random and right on average. The impulse is the largest whole number with
    which a neuron that fires in every step does not overflow its register, impulse / (1 - decay) <= top, and at least
    1. A trace that each spike sets anew (`spikes="nearest"`) is set to top. Weights stay as they are, so that this
    device joins others: `loihi+integer_traces` has the weights, neurons and traces of that chip.

    Args:
        bits: bits of a register, without sign, 2..16. 7 are Loihi's: Lava (lava-nc 0.10.0), `lava.magma.core.learning`.
        rounding: of what remains after a step's decay: stochastic as on Loihi, or nearest, by which a small trace never
            decays, since it loses less than half of 1.
        chip: seed of rounding; None takes the seed of the run.

    Raises:
        UserError: a value outside its range.
    """

    bits: Annotated[int, Range("[2, 16]")] = 7
    rounding: Literal["stochastic", "nearest"] = "stochastic"
    chip: Whole | None = None
    seed_offset: ClassVar[int] = 13_000_027
    ideal: ClassVar[str] = "bits=16"
    unpublished: ClassVar[str] = "registers of traces are modelled here, and no energy"

    @property
    def top(self) -> int:
        """The largest number that a register holds."""
        return (1 << self.bits) - 1

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        """Draw the chip's pattern, from which all rounding is drawn.

        Args:
            shapes: shapes of the connections' weights, which are not used.
            seed: seed of the run, used unless `chip` is set.

        Returns:
            "pattern", a seed, and "age" in steps.
        """
        generator = generator_of(self.chip, seed, self.seed_offset)
        return {"pattern": torch.randint(1 << 40, (), generator=generator), "age": torch.zeros((), dtype=torch.int64)}

    def on_parameters(self, state: dict[str, Any], name: str, w: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Weights are stored as they are.

        Args:
            state: state of the chip.
            name: name of the parameter.
            w: weights at full precision.

        Returns:
            The same weights and state.
        """
        return w, state

    def on_read(self, state: dict[str, Any], name: str, w: Tensor) -> Tensor:
        """Weights are read as they are stored.

        Args:
            state: state of the chip.
            name: name of the parameter.
            w: stored weights.

        Returns:
            The same weights.
        """
        return w

    def on_update(self, state: dict[str, Any], name: str, w: Tensor, dw: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """A change is added as it is asked for.

        Args:
            state: state of the chip.
            name: name of the parameter.
            w: stored weights.
            dw: the change that is asked for.

        Returns:
            The weights afterwards, and the same state.
        """
        return w + dw, state

    def on_trace(
        self, state: dict[str, Any], place: Place, trace: Trace, key: str, increment: Tensor, start: Tensor
    ) -> Tensor:
        """A trace of spikes in its register, in units of its impulse.

        Args:
            state: state of the chip.
            place: the layer whose texts read the trace, and the first step of the window.
            trace: the trace as the rule declares it.
            key: what tells it from the layer's others.
            increment: spikes, 0 or 1, (T, B, *shape).
            start: its value before the window, (B, *shape).

        Returns:
            Its value after each step, (T, B, *shape).

        Raises:
            UserError: what is increment is no spike of 0 or 1.
        """
        if not bool(((increment == 0) | (increment == 1)).all()):
            raise UserError(
                f"device 'integer_traces' adds an impulse where a spike comes, and trace '{trace.name}' of layer "
                f"'{place.layer}' gathers other numbers, such as a constant drive's. Use --encode poisson, or events"
            )
        impulse = self.impulse(trace)
        register, rows = nearest(start * impulse), []
        for t, fires in enumerate(increment):
            decayed = self._rounded(trace.decay * register, state, place, key, t)
            register = (decayed + impulse * fires).clamp(max=self.top)
            rows.append(register / impulse)
        return torch.stack(rows)

    def on_time(self, state: dict[str, Any], steps: int) -> dict[str, Any]:
        """Let time pass: the next trial rounds by other draws.

        Args:
            state: state of the chip.
            steps: that pass.

        Returns:
            The state afterwards.
        """
        return {**state, "age": state["age"] + steps}

    def check_rule(self, rule: Rule) -> None:
        """Refuse a rule with traces that no register holds.

        Args:
            rule: the rule, before any device has changed it.

        Raises:
            UserError: a trace of something else than spikes, or one that does not decay.
        """
        for trace in rule.traces:
            if trace.expression != Name(SPIKES):
                raise UserError(
                    f"device 'integer_traces' keeps traces of spikes, and rule '{rule.name}' declares "
                    f"'{trace.name}' of '{trace.text}'. Use a rule whose traces are of S, such as stdp"
                )
            if trace.decay == 1:
                raise UserError(
                    f"device 'integer_traces' keeps traces that decay, and trace '{trace.name}' of rule '{rule.name}' "
                    f"never decays. Use --hardware none"
                )

    def impulse(self, trace: Trace) -> int:
        """The number that a spike adds to the register of a trace.

        Args:
            trace: the trace as the rule declares it.

        Returns:
            A whole number, 1..top.
        """
        return max(1, int(self.top * (1 - trace.decay) + ROUNDING))

    def _rounded(self, x: Tensor, state: dict[str, Any], place: Place, key: str, t: int) -> Tensor:
        if self.rounding == "nearest":
            return nearest(x)
        where = (int(state["age"]), place.phase, place.layer, key, place.first + t)
        return stochastic(x, generator_at(int(state["pattern"]), "traces", *where))


ENTRY = IntegerTraces
