"""Pairs of phase-change memory cells: noise of programming, drift over time, and noise of reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from hardware_models.account import Accountant
from hardware_models.chip import generator_in, generator_of, room_of
from hardware_models.pcm import LARGEST_uS, Programmed, program, read
from neurorules.language.ranges import Fraction, NonNegative, Positive, Whole, ranged

SEED_OFFSET = 6_000_011
"""Added to the seed, so that what a chip draws is independent of the initial weights, which have the same seed."""


class Pair(NamedTuple):
    """The two cells of every weight, and when each pair was programmed.

    Args:
        plus, minus: the cells.
        born: seconds of the chip's clock.
    """

    plus: Programmed
    minus: Programmed
    born: Tensor


@ranged("device 'pcm'")
@dataclass(frozen=True)
class PhaseChangeMemory(Accountant):
    """stored = (G+ - G-) / scale as programmed;  read = the same behind drift and the noise of a reading.

    A weight w is asked for as G+ = max(w, 0) scale and G- = max(-w, 0) scale, and each cell is programmed and verified.
    A change is added up digitally, and the pair is programmed anew when it is due (mixed precision); without
    `accumulate` at every change. A cell has at most g_max, so what programming adds beyond that is clipped here.

    Args:
        programming: by what the noise of programming is multiplied, >= 0.
        drift: by what the exponents of drift are multiplied, >= 0.
        reading: by what the noise of a reading is multiplied, >= 0; it is drawn anew at every change
            and in every trial.
        age_s: seconds between programming and reading beside those that the clock counts, >= 0; 86400 is a day.
        step_s: seconds of a time step of a sample, >= 0. Estimated: a millisecond, the step of many simulations.
        accumulate: whether changes are added up until they are due.
        due: the smallest change that programs a pair anew, over the range, in [0, 1]. Estimated: 0.04 is 1 uS of 25,
            about what the noise of programming is.
        headroom: the largest weight, in units of the largest one that is programmed first, > 0.
        chip: seed of all draws; None takes the seed of the run.

    Raises:
        UserError: a value outside its range.
    """

    programming: NonNegative = 1.0
    drift: NonNegative = 1.0
    reading: NonNegative = 1.0
    age_s: NonNegative = 0.0
    step_s: NonNegative = 0.001
    accumulate: bool = True
    due: Fraction = 0.04
    headroom: Positive = 2.0
    chip: Whole | None = None
    ideal: ClassVar[str] = "programming=0:drift=0:reading=0:accumulate=false:headroom=8"
    constraints: ClassVar[Mapping[str, str]] = {
        "noise of programming": "programming=0", "drift": "drift=0", "noise of reading": "reading=0"
    }  # fmt: skip
    unpublished: ClassVar[str] = "the data behind the model have no energy of a pulse or a reading"

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        """A chip that nobody has programmed.

        Args:
            shapes: shape of each connection's weights, by parameter name.
            seed: of the run, used unless `chip` is set.

        Returns:
            "<parameter>/owed", changes that are due later; the "clock" in seconds; the state of the "generator".
        """
        generator = generator_of(self.chip, seed, SEED_OFFSET)
        state: dict[str, Any] = {f"{name}/owed": torch.zeros(shape) for name, shape in shapes.items()}
        clock = torch.zeros((), dtype=torch.float64)
        return {**state, "clock": clock, "generator": generator.get_state()}

    def on_parameters(self, state: dict[str, Any], name: str, w: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Choose the scale of a connection, "<parameter>/scale" in uS, and program its cells.

        Args:
            state: of the chip.
            name: of the parameter.
            w: weights at full precision.

        Returns:
            The weights as programmed, and the state with the cells.
        """
        largest = room_of(w, self.headroom)
        scale = torch.tensor(LARGEST_uS / largest, dtype=torch.float64, device=w.device)
        state = {**state, f"{name}/scale": scale, f"{name}/owed": state[f"{name}/owed"].to(w.device)}
        generator = generator_in(state)
        pair = self._programmed(w.double() * scale, state["clock"], generator)
        state |= {**self._pair_tensors(name, pair), f"{name}/reading": _drawn(generator)}
        return self._weights(pair, scale, w), {**state, "generator": generator.get_state()}

    def on_read(self, state: dict[str, Any], name: str, w: Tensor) -> Tensor:
        """Read every pair, as old as it is.

        Args:
            state: of the chip.
            name: of the parameter.
            w: weights as programmed.

        Returns:
            What the network computes with.
        """
        pair, scale = self._pair(state, name), state[f"{name}/scale"]
        age = state["clock"].to(w.device) - pair.born + self.age_s
        generator = torch.Generator().manual_seed(int(state[f"{name}/reading"]))
        plus, minus = (read(one, age, generator, self.reading) for one in (pair.plus, pair.minus))
        # What another device of a chain has made of the weight stays.
        change = (plus - minus) - (pair.plus.g - pair.minus.g)
        return (w.double() + change / scale).to(w.dtype)

    def on_update(self, state: dict[str, Any], name: str, w: Tensor, dw: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Add up the changes, and program those pairs anew whose change is due.

        Args:
            state: of the chip.
            name: of the parameter.
            w: weights as programmed.
            dw: the change that is asked for.

        Returns:
            The weights as programmed afterwards, and the state with the generator moved on.
        """
        scale = state[f"{name}/scale"]
        owed = state[f"{name}/owed"].double() + dw.double()
        target = ((w.double() + owed) * scale).clamp(-LARGEST_uS, LARGEST_uS)
        change = (target - w.double() * scale).abs()
        now = (dw != 0) & (change > 0) & (change >= (self.due * LARGEST_uS if self.accumulate else 0.0))
        generator = generator_in(state)
        old, new = self._pair(state, name), self._programmed(target, state["clock"], generator)
        plus, minus = _chosen(now, new.plus, old.plus), _chosen(now, new.minus, old.minus)
        pair = Pair(plus, minus, torch.where(now, new.born, old.born))
        limit = LARGEST_uS / scale
        rest = torch.where(now, torch.zeros_like(owed), owed.clamp(-limit, limit)) if self.accumulate else owed * 0
        state = {**state, **self._pair_tensors(name, pair), f"{name}/owed": rest.to(torch.float32)}
        state |= {f"{name}/reading": _drawn(generator), "generator": generator.get_state()}
        return torch.where(now, self._weights(pair, scale, w), w), state

    def on_time(self, state: dict[str, Any], steps: int) -> dict[str, Any]:
        """Let the clock go on, and draw the noise of readings anew.

        Args:
            state: of the chip.
            steps: of the samples of a trial, one after the other.

        Returns:
            The state afterwards.
        """
        generator = generator_in(state)
        clock = state["clock"] + steps * self.step_s
        readings = {key: _drawn(generator) for key in state if key.endswith("/reading")}
        return {**state, **readings, "clock": clock, "generator": generator.get_state()}

    def _programmed(self, conductance: Tensor, clock: Tensor, generator: torch.Generator) -> Pair:
        """Cells of which differences are asked for, in uS."""
        cells = []
        for sign in (1, -1):
            target = (sign * conductance).clamp(0, LARGEST_uS)
            g, nu = program(target, generator, self.programming, self.drift)
            cells.append(Programmed(g.clamp(max=LARGEST_uS), nu))
        plus, minus = cells
        return Pair(plus, minus, clock.to(conductance.device).expand(conductance.shape).clone())

    def _weights(self, pair: Pair, scale: Tensor, like: Tensor) -> Tensor:
        return ((pair.plus.g - pair.minus.g) / scale).to(like.dtype)

    def _pair_tensors(self, name: str, pair: Pair) -> dict[str, Tensor]:
        """The tensors of a pair, by their names in the state."""
        plus = {f"{name}/plus/{part}": value for part, value in pair.plus._asdict().items()}
        minus = {f"{name}/minus/{part}": value for part, value in pair.minus._asdict().items()}
        return {**plus, **minus, f"{name}/born": pair.born}

    def _pair(self, state: dict[str, Any], name: str) -> Pair:
        plus, minus = (
            Programmed(state[f"{name}/{which}/g"], state[f"{name}/{which}/nu"]) for which in ("plus", "minus")
        )
        return Pair(plus, minus, state[f"{name}/born"])


def _drawn(generator: torch.Generator) -> Tensor:
    """The seed of the readings of a connection until its next change, or the next trial."""
    return torch.randint(2**31, (), generator=generator)


def _chosen(now: Tensor, new: Programmed, old: Programmed) -> Programmed:
    """New cells where they were programmed, else the old ones."""
    return Programmed(torch.where(now, new.g, old.g), torch.where(now, new.nu, old.nu))


ENTRY = PhaseChangeMemory
