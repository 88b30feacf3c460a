"""The scale between the dimensionless variables of a model and those of a cell in mV, ms, pA and pC.

State variables count in units of the threshold, so that this path and the torch path compute the same bits. Variables
with units are added for readers and monitors. They are subexpressions, which Brian2 computes only where they are read,
and whose units it checks:

    V_m = v * threshold                       : volt
    I_m = I * threshold * capacitance / time  : amp       time: a step, or the membrane's time constant
    Q_w = w * threshold * capacitance         : coulomb   what one spike brings through a synapse

A step v = beta v + I is a leak with a pulse of the charge I * C * threshold. In continuous time, tau dv/dt = -v + I,
the constant current C * threshold / tau holds a membrane at its threshold. A weight is the same charge in both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from neurorules.language.options import convert_options, parse_named
from neurorules.language.ranges import Positive, ranged

STEP_MS = 1.0
"""Length of one time step in Brian2, in ms, where a user gives no other. Decays are given per step, so that no result
depends on it."""
DECAYS = {"beta": "tau_m", "alpha": "tau_syn", "rho": "tau_adaptation"}
"""Names of time constants, by the names that neurons give to their decays per step."""


@ranged("--scale")
@dataclass(frozen=True)
class Scale:
    """The potential and the capacitance that count as 1; potentials are measured from rest.

    Args:
        threshold_mV: distance from rest to threshold, > 0.
        capacitance_pF: the capacitance pF of a membrane, > 0.
    """

    threshold_mV: Positive = 20.0
    capacitance_pF: Positive = 100.0

    @property
    def _charge(self) -> str:
        return f"{self.threshold_mV!r}*mV*{self.capacitance_pF!r}*pF"

    def current_pA(self, time_ms: float) -> float:
        """The current of strength 1 in pA, where `time_ms` is the length of a step or the membrane's time constant."""
        return self.threshold_mV * self.capacitance_pF / time_ms

    def voltage(self, v: str = "v", name: str = "V_m") -> str:
        """Write the equation of a membrane potential in volt.

        Args:
            v: variable or expression of the potential in units of the threshold.
            name: the name of the new variable.

        Returns:
            A subexpression in Brian2's syntax.
        """
        return f"{name} = {v}*{self.threshold_mV!r}*mV : volt"

    def current(self, strength: str = "I", time_ms: float = STEP_MS, name: str = "I_m") -> str:
        """Write the equation of a current in ampere.

        Args:
            strength: variable or expression of the dimensionless current.
            time_ms: length of a step or the membrane's time constant, in ms, > 0.
            name: the name of the new variable.

        Returns:
            A subexpression in Brian2's syntax.
        """
        return f"{name} = {strength}*{self._charge}/({time_ms!r}*ms) : amp"

    def charge(self, w: str = "w", name: str = "Q_w") -> str:
        """Write the equation of the whole charge that one spike brings through a synapse, in coulomb.

        Args:
            w: variable or expression of the dimensionless charge.
            name: the name of the new variable.

        Returns:
            A subexpression in Brian2's syntax.
        """
        return f"{name} = {w}*{self._charge} : coulomb"

    def header(self) -> str:
        """State the scale in one comment line."""
        return (
            f"# scale: v = 1 is {self.threshold_mV:g} mV above rest, capacitance {self.capacitance_pF:g} pF, w = 1 is "
            f"{self.threshold_mV * self.capacitance_pF / 1000:g} pC a spike; variables with : 1 count in these"
        )

    def in_units(self, name: str, value: float | np.ndarray, step_ms: float = STEP_MS) -> str:
        """State a number of a model that runs step by step in units, for a reader.

        Args:
            name: the name of the number in the model, such as "beta" or "v_threshold".
            value: a scalar, or one for each neuron.
            step_ms: length of a step in ms, > 0.

        Returns:
            The value, or the smallest and the largest one, in ms, mV or pA; "" for a number that has no units.
        """
        if name in DECAYS:
            return f"{DECAYS[name]} = {_span(_time_constant(value) * step_ms, 'ms')}"
        match name:
            case "v_threshold":
                return _span(np.atleast_1d(value) * self.threshold_mV, "mV")
            case "refractory_steps":
                return _span(np.atleast_1d(value) * step_ms, "ms")
            case "b" | "injected" | "I_beside":
                return _span(np.atleast_1d(value) * self.current_pA(step_ms), "pA")
        return ""


SCALE = Scale()
"""The scale of all models. A threshold of 20 mV above rest and 100 pF (100 MOhm at 10 ms) have the order of magnitude
of a cortical cell's. They were chosen as round numbers, and no result depends on them."""


def scale_from(text: str | None) -> Scale:
    """Read a scale as a user writes it.

    Args:
        text: such as "threshold_mV=15:capacitance_pF=200"; None for the scale of all models.

    Returns:
        The scale; what the text leaves out is as in `SCALE`.

    Raises:
        UserError: a word that is none of the two, or a number that is not above 0.
    """
    if text is None:
        return SCALE
    return Scale(**convert_options("--scale", Scale, parse_named(f"scale:{text}")[1]))


def _time_constant(decay: float | np.ndarray) -> np.ndarray:
    """The time constant in steps of a decay per step: 0 for a decay of 0, infinite for a decay of 1."""
    return np.array([0.0 if one <= 0 else math.inf if one >= 1 else -1.0 / math.log(one) for one in np.ravel(decay)])


def _span(values: np.ndarray, unit: str) -> str:
    if not values.size:
        return ""
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"
