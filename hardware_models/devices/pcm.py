"""Pairs of phase-change memory cells, written by targets or by pulses, with noise of writing and reading, and drift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from hardware_models.account import Accountant
from hardware_models.chip import generator_in, generator_of, room_of
from hardware_models.pcm import LARGEST_uS
from hardware_models.pcm_pairs import FULL, USED, Pair, pair_in, programmed, pulsed_pairs, read_pairs
from hardware_models.rounding import stochastic
from neurorules.language.errors import UserError
from neurorules.language.ranges import Fraction, NonNegative, Positive, Whole, ranged

SEED_OFFSET = 6_000_011
"""Added to the seed, so that what a chip draws is independent of the initial weights, which have the same seed."""


@ranged("device 'pcm'")
@dataclass(frozen=True)
class PhaseChangeMemory(Accountant):
    """stored = (G+ - G-) / scale as programmed;  read = the same behind drift and the noise of a reading.

    Initial weights are programmed: a weight w is asked for as G+ = max(w, 0) scale and G- = max(-w, 0) scale, and each
    cell is programmed and verified. A change is added up digitally until it is due (mixed precision). With
    writes=target the pair is then programmed to the new weight. With writes=pulses it gets one pulse for each `due` of
    the range that is due, G+ for a rise and G- for a fall, and nothing is verified: what a pulse does depends on the
    conductance that it meets (`hardware_models.pcm_pulses`). Without `accumulate` pairs are programmed at every change,
    or the number of pulses is rounded at random. A cell has at most g_max; what programming adds beyond is clipped.

    Args:
        writes: target, by which a pair is programmed to a weight and verified, or pulses.
        programming: factor of the noise of programming and of pulses, >= 0.
        drift: factor of the exponents of drift, >= 0.
        reading: factor of the noise of a reading, >= 0; the noise is drawn anew at every change
            and in every trial.
        age_s: seconds between writing and reading beside those that the clock counts, >= 0; 86400 is a day.
        step_s: seconds of a time step of a sample, >= 0. Estimated: a millisecond, the step of many simulations.
        accumulate: whether changes are added up until they are due.
        due: the smallest change that writes a pair, over the range, in [0, 1]; above 0 for pulses, of which it is
            the nominal size. Estimated: 0.04 is 1 uS of 25, about what the noise of programming is, and what a pulse
            adds on average on its way through half the range.
        full, used: with pulses, a pair is programmed to its difference at a pulse that finds its larger cell above
            `full` of the range and its smaller one above `used`, both in [0, 1].
        compensated: whether readings are scaled by what all cells of a connection together have lost to drift.
        headroom: the largest weight, in units of the largest one that is programmed first, > 0.
        chip: seed of all draws; None takes the seed of the run.

    Raises:
        UserError: a value outside its range, or pulses of no size.
    """

    writes: Literal["target", "pulses"] = "target"
    programming: NonNegative = 1.0
    drift: NonNegative = 1.0
    reading: NonNegative = 1.0
    age_s: NonNegative = 0.0
    step_s: NonNegative = 0.001
    accumulate: bool = True
    due: Fraction = 0.04
    full: Fraction = FULL
    used: Fraction = USED
    compensated: bool = False
    headroom: Positive = 2.0
    chip: Whole | None = None
    ideal: ClassVar[str] = "writes=target:programming=0:drift=0:reading=0:accumulate=false:headroom=8"
    constraints: ClassVar[Mapping[str, str]] = {
        "noise of programming": "programming=0", "drift": "drift=0", "noise of reading": "reading=0"
    }  # fmt: skip
    unpublished: ClassVar[str] = "the data behind the model have no energy of a pulse or a reading"

    def __post_init__(self) -> None:
        if self.writes == "pulses" and self.due == 0:
            raise UserError("device 'pcm': due is 0 with writes=pulses, which is the size of a pulse. Give it above 0")

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        """A chip that nobody has programmed.

        Args:
            shapes: shape of each connection's weights, by parameter name.
            seed: seed of the run, used unless `chip` is set.

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
            state: state of the chip.
            name: name of the parameter.
            w: weights at full precision.

        Returns:
            The weights as programmed, and the state with the cells.
        """
        largest = room_of(w, self.headroom)
        scale = torch.tensor(LARGEST_uS / largest, dtype=torch.float64, device=w.device)
        state = {**state, f"{name}/scale": scale, f"{name}/owed": state[f"{name}/owed"].to(w.device)}
        generator = generator_in(state)
        pair = programmed(w.double() * scale, state["clock"], generator, self.programming, self.drift)
        state |= {**pair.tensors(name), f"{name}/reading": _drawn(generator)}
        return self._weights(pair, scale, w), {**state, "generator": generator.get_state()}

    def on_read(self, state: dict[str, Any], name: str, w: Tensor) -> Tensor:
        """Read every pair, as old as it is.

        Args:
            state: state of the chip.
            name: name of the parameter.
            w: weights as programmed.

        Returns:
            What the network computes with.
        """
        pair, scale = pair_in(state, name), state[f"{name}/scale"]
        generator = torch.Generator().manual_seed(int(state[f"{name}/reading"]))
        reading = read_pairs(pair, state["clock"], self.age_s, generator, self.reading, self.compensated)
        change = reading - pair.difference
        # What another device of a chain has made of the weight stays.
        return (w.double() + change / scale).to(w.dtype)

    def on_update(self, state: dict[str, Any], name: str, w: Tensor, dw: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Add up the changes, and write those pairs whose change is due.

        Args:
            state: state of the chip.
            name: name of the parameter.
            w: weights as programmed.
            dw: the change that is asked for.

        Returns:
            The weights as programmed afterwards, and the state with the generator moved on.
        """
        scale, generator, old = state[f"{name}/scale"], generator_in(state), pair_in(state, name)
        owed = state[f"{name}/owed"].double() + dw.double()
        if self.writes == "pulses":
            counts = self._pulses(owed * scale, dw, generator)
            now = counts != 0
            pair = pulsed_pairs(
                old, counts, state["clock"], generator, self.programming, self.drift, self.full, self.used
            )
            owed = owed - counts * self._size / scale
        else:
            target = ((w.double() + owed) * scale).clamp(-LARGEST_uS, LARGEST_uS)
            change = (target - w.double() * scale).abs()
            now = (dw != 0) & (change > 0) & (change >= (self._size if self.accumulate else 0.0))
            new = programmed(target, state["clock"], generator, self.programming, self.drift)
            pair, owed = new.chosen(now, old), torch.where(now, torch.zeros_like(owed), owed)
        limit = LARGEST_uS / scale
        rest = owed.clamp(-limit, limit) if self.accumulate else owed * 0
        state = {**state, **pair.tensors(name), f"{name}/owed": rest.to(torch.float32)}
        state |= {f"{name}/reading": _drawn(generator), "generator": generator.get_state()}
        return torch.where(now, self._weights(pair, scale, w), w), state

    @property
    def _size(self) -> float:
        """The change that is due, in uS."""
        return self.due * LARGEST_uS

    def _pulses(self, owed: Tensor, dw: Tensor, generator: torch.Generator) -> Tensor:
        """Whole pulses of a change in uS; a weight that no change reaches has none."""
        wanted = owed / self._size
        counts = torch.trunc(wanted) if self.accumulate else stochastic(wanted, generator)
        return torch.where(dw != 0, counts, torch.zeros_like(counts))

    def on_time(self, state: dict[str, Any], steps: int) -> dict[str, Any]:
        """Let the clock go on, and draw the noise of readings anew.

        Args:
            state: state of the chip.
            steps: time steps of the samples of a trial, one after the other.

        Returns:
            The state afterwards.
        """
        generator = generator_in(state)
        clock = state["clock"] + steps * self.step_s
        readings = {key: _drawn(generator) for key in state if key.endswith("/reading")}
        return {**state, **readings, "clock": clock, "generator": generator.get_state()}

    def _weights(self, pair: Pair, scale: Tensor, like: Tensor) -> Tensor:
        return (pair.difference / scale).to(like.dtype)


def _drawn(generator: torch.Generator) -> Tensor:
    """The seed of the readings of a connection until its next change, or the next trial."""
    return torch.randint(2**31, (), generator=generator)


ENTRY = PhaseChangeMemory
