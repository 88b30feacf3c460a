"""Memristive synapses, which learn by pulses: step laws, spread between devices and from pulse to pulse, dead ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from hardware_models.account import Accountant
from hardware_models.chip import generator_in, generator_of, room_of
from hardware_models.memristors import FITS, Memristors
from hardware_models.pulses import LONGEST, Law, Synapses, pulsed
from hardware_models.rounding import nearest, stochastic
from neurorules.language.ranges import Fraction, NonNegative, Positive, Whole, ranged

SEED_OFFSET = 5_000_011
"""Added to the seed, so that what a chip draws is independent of the initial weights, which have the same seed."""
OWN = ("rise", "fall", "high", "low", "bend_up", "bend_down")
"""The numbers of each synapse, by the names of `Synapses`."""


@ranged("device 'memristor'")
@dataclass(frozen=True)
class Memristor(Accountant):
    """stored = x * scale, with x between the bounds of each synapse; a pulse moves x by a step that its law decides.

    A change that a rule asks for becomes a whole number of pulses: dw / (scale * pulse), rounded at random, so that its
    mean is right. With `accumulate` the change is added up digitally, and pulses come when one is due.

    Args:
        fit: whose numbers they are (`hardware_models.memristors`): specified, reram, reram_soft, capacitor, ecram or
            ecram_oxide.
        law: constant, linear, soft_bounds, exponential, power or curve steps; None for the fit's.
        pulse: mean size of a step at 0, over the range, > 0; None for the fit's, like those that follow.
        bend: `linear`: by what share steps at the bound are smaller than at 0; `power`: the exponent;
            `curve`: NeuroSim's A over Pmax.
        device_spread: standard deviation of steps and bounds between devices, over their means, >= 0.
        cycle_spread: standard deviation of a step from pulse to pulse, over its mean, >= 0.
        asymmetry: the share by which steps down are smaller than steps up; where negative, steps up are smaller.
        write_noise: standard deviation of the error of a reading, drawn at each write, in steps, >= 0.
        dead: probability of a device that no pulse moves. 0.1348 was measured in arrays of OxRAM (aihwkit 1.1.0, preset
            ReRamArrayOM).
        dead_range: a dead one has a value between minus and plus this.
        accumulate: whether changes are added up digitally until a pulse is due (mixed precision).
        rounding: rounding of the number of pulses, where nothing is added up.
        headroom: the range 1, in units of the largest weight that is programmed, > 0.
        chip: seed of all draws; None takes the seed of the run.

    Raises:
        UserError: a value outside its range.
    """

    fit: Literal["specified", "reram", "reram_soft", "capacitor", "ecram", "ecram_oxide", "ag_asi"] = "specified"
    law: Law | None = None
    pulse: Positive | None = None
    bend: NonNegative | None = None
    device_spread: NonNegative | None = None
    cycle_spread: NonNegative | None = None
    asymmetry: float | None = None
    write_noise: NonNegative | None = None
    dead: Fraction = 0.0
    dead_range: NonNegative = 0.1
    accumulate: bool = False
    rounding: Literal["stochastic", "nearest"] = "stochastic"
    headroom: Positive = 4.0
    chip: Whole | None = None
    ideal: ClassVar[str] = "law=constant:pulse=1e-6:device_spread=0:cycle_spread=0:asymmetry=0:write_noise=0:dead=0"
    constraints: ClassVar[Mapping[str, str]] = {
        "spread between devices": "device_spread=0", "noise of writing": "write_noise=0", "dead devices": "dead=0"
    }  # fmt: skip
    unpublished: ClassVar[str] = "the data behind the model have no energy of a pulse or a reading"

    @property
    def numbers(self) -> Memristors:
        """The fit's, with what is asked for in their place."""
        fit = FITS[self.fit]
        options: dict[str, Any] = {"law": self.law, "up": self.bend, "down": self.bend, "cycle": self.cycle_spread}
        steps = fit.steps._replace(**{name: value for name, value in options.items() if value is not None})
        own: dict[str, Any] = dict.fromkeys(
            ("pulse_spread", "high_spread", "low_spread", "bend_spread"), self.device_spread
        )
        own |= {"asymmetry_spread": None if self.device_spread is None else self.device_spread / 30}
        own |= {"pulse": self.pulse, "asymmetry": self.asymmetry, "write_noise": self.write_noise}
        return fit._replace(steps=steps, **{name: value for name, value in own.items() if value is not None})

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        """Draw the devices of one chip.

        Args:
            shapes: shape of each connection's weights, by parameter name.
            seed: seed of the run, used unless `chip` is set.

        Returns:
            "<parameter>/rise" and so on for each number of `Synapses`, "<parameter>/owed", pulses that are due later,
            "<parameter>/noise", what was read beside what is stored, and the state of the "generator".
        """
        generator = generator_of(self.chip, seed, SEED_OFFSET)
        state: dict[str, Any] = {}
        for name, shape in shapes.items():
            drawn = self._draw(shape, generator)
            state |= {f"{name}/{key}": getattr(drawn, key) for key in OWN}
            state[f"{name}/owed"] = torch.zeros(shape)
            state[f"{name}/noise"] = torch.zeros(shape)
        return {**state, "generator": generator.get_state()}

    def _draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Synapses:
        """The numbers of each synapse of a connection. Source: aihwkit 1.1.0, `rpucuda`."""
        n = self.numbers

        def normal(spread: float) -> Tensor:
            return spread * torch.randn(shape, generator=generator)

        high, low = (n.high * (1 + normal(n.high_spread))).abs(), -(n.low * (1 + normal(n.low_spread))).abs()
        gain, tilt = 1 + normal(n.pulse_spread), normal(n.asymmetry_spread)
        rise = (min(n.asymmetry, 0.0) + gain + tilt).abs() * n.pulse
        fall = (-max(n.asymmetry, 0.0) + gain - tilt).abs() * n.pulse
        up, down = (n.steps.up + normal(n.bend_spread)).abs(), (n.steps.down + normal(n.bend_spread)).abs()
        if n.steps.law == "linear":
            up, down = (up / n.high, down / -n.low) if n.shared_slope else (up / high, down / -low)
        dead = torch.rand(shape, generator=generator) < self.dead
        stuck = (2 * torch.rand(shape, generator=generator) - 1) * self.dead_range
        stuck = torch.minimum(torch.maximum(stuck, low), high)
        high, low = torch.where(dead, stuck, high), torch.where(dead, stuck, low)
        return Synapses(rise.masked_fill(dead, 0), fall.masked_fill(dead, 0), high, low, up, down)

    def on_parameters(self, state: dict[str, Any], name: str, w: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Choose the scale of a connection, "<parameter>/scale", and program its devices within their bounds.

        Args:
            state: state of the chip.
            name: name of the parameter.
            w: weights at full precision.

        Returns:
            The stored weights, and the state with the scale.
        """
        scale = room_of(w, self.headroom)
        state = {key: value.to(w.device) if key.startswith(f"{name}/") else value for key, value in state.items()}
        state[f"{name}/scale"] = torch.tensor(scale, dtype=torch.float64, device=w.device)
        own = self._synapses(state, name, w)
        return torch.minimum(torch.maximum(w / scale, own.low), own.high) * scale, state

    def on_read(self, state: dict[str, Any], name: str, w: Tensor) -> Tensor:
        """Read the stored weights, with the noise that was drawn when they were written.

        Args:
            state: state of the chip.
            name: name of the parameter.
            w: stored weights.

        Returns:
            What the network computes with.
        """
        noise = self.numbers.write_noise
        if not noise:
            return w
        size = state[f"{name}/scale"] * self.numbers.pulse * noise
        return w + state[f"{name}/noise"].to(w.dtype) * size.to(w.dtype)

    def on_update(self, state: dict[str, Any], name: str, w: Tensor, dw: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Give each device the pulses that a change asks for.

        Args:
            state: state of the chip.
            name: name of the parameter.
            w: stored weights.
            dw: the change that is asked for.

        Returns:
            The stored weights afterwards, and the state with the generator moved on.
        """
        numbers, scale = self.numbers, state[f"{name}/scale"].to(w.dtype)
        generator = generator_in(state)
        wanted = dw / (scale * numbers.pulse)
        longest = math.ceil(LONGEST / numbers.pulse)
        state = dict(state)
        if self.accumulate:
            owed = state[f"{name}/owed"].to(w.dtype) + wanted
            counts = torch.where(dw != 0, torch.trunc(owed), torch.zeros_like(owed))
            state[f"{name}/owed"] = (owed - counts).clamp(-longest, longest).to(torch.float32)
        else:
            counts = stochastic(wanted, generator) if self.rounding == "stochastic" else nearest(wanted)
        own, x = self._synapses(state, name, w), w / scale
        moved = pulsed(numbers.steps, own, x, counts, generator, longest)
        if numbers.write_noise:
            fresh = torch.randn(w.shape, generator=generator).to(w.device)
            state[f"{name}/noise"] = torch.where(counts != 0, fresh, state[f"{name}/noise"])
        state["generator"] = generator.get_state()
        return torch.where(moved == x, w, moved * scale), state

    def _synapses(self, state: dict[str, Any], name: str, w: Tensor) -> Synapses:
        return Synapses(*(state[f"{name}/{key}"].to(w.dtype) for key in OWN))


ENTRY = Memristor
