"""Pairs of phase-change cells, whose difference is a weight, and when each cell was written."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from hardware_models.pcm import LARGEST_uS, Programmed, program, read
from hardware_models.pcm_pulses import pulsed

SIDES = ("plus", "minus")
FULL, USED = 0.75, 0.25
"""The shares of the largest conductance above which the larger and the smaller cell of a pair make it be written anew,
by default. Source: `OneSidedUnitCell` of aihwkit 1.1.0, of which the preset for pairs of phase-change cells is made."""
MOST_PULSES = 50
"""Most pulses of a cell at one change: the mean of so many leads from no conductance to near the largest one."""


class Cells(NamedTuple):
    """One of the two cells of every weight.

    Args:
        written: their conductances in uS and their exponents of drift, float64 of the weights' shape.
        born: when each was written last, in seconds of the chip's clock.
    """

    written: Programmed
    born: Tensor

    def chosen(self, now: Tensor, old: Cells) -> Cells:
        """These cells where `now` is true, else the old ones.

        Args:
            now: which were written, bool of the weights' shape.
            old: the cells before.

        Returns:
            The cells afterwards.
        """
        g, nu = (torch.where(now, new, one) for new, one in zip(self.written, old.written, strict=True))
        return Cells(Programmed(g, nu), torch.where(now, self.born, old.born))


class Pair(NamedTuple):
    """The two cells of every weight.

    Args:
        plus, minus: the cells; what plus has more than minus is the weight.
    """

    plus: Cells
    minus: Cells

    @property
    def difference(self) -> Tensor:
        """The weights as written, in uS."""
        return self.plus.written.g - self.minus.written.g

    def chosen(self, now: Tensor, old: Pair) -> Pair:
        """These pairs where `now` is true, else the old ones.

        Args:
            now: which were written, bool of the weights' shape.
            old: the pairs before.

        Returns:
            The pairs afterwards.
        """
        return Pair(self.plus.chosen(now, old.plus), self.minus.chosen(now, old.minus))

    def tensors(self, name: str) -> dict[str, Tensor]:
        """The tensors of the pairs, by their names in a chip's state.

        Args:
            name: name of the parameter.

        Returns:
            "<parameter>/plus/g", "/nu" and "/born", and the same of minus.
        """
        state: dict[str, Tensor] = {}
        for side, cells in zip(SIDES, self, strict=True):
            parts = {"g": cells.written.g, "nu": cells.written.nu, "born": cells.born}
            state |= {f"{name}/{side}/{part}": value for part, value in parts.items()}
        return state


def pair_in(state: dict[str, Any], name: str) -> Pair:
    """The pairs of a connection as a chip's state holds them.

    Args:
        state: state of the chip.
        name: name of the parameter.

    Returns:
        The pairs.
    """
    sides = [[state[f"{name}/{side}/{part}"] for part in ("g", "nu", "born")] for side in SIDES]
    plus, minus = (Cells(Programmed(g, nu), born) for g, nu, born in sides)
    return Pair(plus, minus)


def programmed(target: Tensor, clock: Tensor, generator: torch.Generator, noise: float, drift: float) -> Pair:
    """Pairs that are programmed and verified: one cell gets the target, the other is left without conductance.

    Args:
        target: differences that are asked for, in uS.
        clock: seconds of the chip's clock.
        generator: generator of the noise, on the CPU.
        noise, drift: factors of the noise of programming and of the exponents of drift.

    Returns:
        The pairs. What programming adds beyond the largest conductance is clipped.
    """
    born = clock.to(target.device).expand(target.shape).clone()
    cells = []
    for sign in (1, -1):
        g, nu = program((sign * target).clamp(0, LARGEST_uS), generator, noise, drift)
        cells.append(Cells(Programmed(g.clamp(max=LARGEST_uS), nu), born))
    return Pair(*cells)


def pulsed_pairs(
    pair: Pair, counts: Tensor, clock: Tensor, generator: torch.Generator, noise: float, drift: float,
    full: float = FULL, used: float = USED,
) -> Pair:  # fmt: skip
    """Pairs after pulses: plus gets those of a rise, minus those of a fall. Pairs that are
    nearly used up are written anew.

    Args:
        pair: before the pulses.
        counts: whole numbers of pulses, up where positive.
        clock: seconds of the chip's clock.
        generator: generator of the noise, on the CPU.
        noise, drift: factors of the noise of writing and of the exponents of drift.
        full, used: shares of the largest conductance, in [0, 1]. A pair is written anew at a pulse if its larger cell
            is above `full` and its smaller one above `used`.

    Returns:
        The pairs afterwards. Where both cells are high, pulses hardly move the difference any more: such a pair is
        programmed to the difference that it has.
    """
    cells = []
    for old, share in zip(pair, (counts.clamp(min=0), (-counts).clamp(min=0)), strict=True):
        written = pulsed(old.written, share.clamp(max=MOST_PULSES), generator, noise, drift)
        cells.append(Cells(written, torch.where(share > 0, clock.to(old.born.device), old.born)))
    after = Pair(*cells)
    high, low = (bound(cells[0].written.g, cells[1].written.g) for bound in (torch.maximum, torch.minimum))
    anew = (counts != 0) & (high > full * LARGEST_uS) & (low > used * LARGEST_uS)
    return programmed(after.difference, clock, generator, noise, drift).chosen(anew, after)


def read_pairs(
    pair: Pair, clock: Tensor, later_s: float, generator: torch.Generator, noise: float, compensated: bool = False
) -> Tensor:
    """Read pairs, each cell behind its drift since it was written.

    Args:
        pair: the cells.
        clock: seconds of the chip's clock.
        later_s: seconds that pass beside the clock.
        generator: generator of the noise, on the CPU.
        noise: factor of the noise of reading.
        compensated: whether readings are scaled by what all cells together have lost, which a chip measures as one
            current. Source: the global drift compensation of Joshi et al. 2020.

    Returns:
        Differences in uS.
    """
    plus, minus = (
        read(cells.written, clock.to(cells.born.device) - cells.born + later_s, generator, noise) for cells in pair
    )
    if not compensated:
        return plus - minus
    written = sum(cells.written.g.sum() for cells in pair)
    return (plus - minus) * (written / (plus.sum() + minus.sum()).clamp(min=1e-9))
