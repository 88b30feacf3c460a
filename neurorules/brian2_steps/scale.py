"""One declared scale between a model's numbers and a cell's: thresholds and steps to mV, ms, pA and pC.

State variables stay numbers of thresholds, so that both paths compute the same bits. What a person reads or a monitor
records beside them carries units, as subexpressions that cost nothing until they are read, and that Brian2 checks:

    V_m = v * threshold                       : volt
    I_m = I * threshold * capacitance / time  : amp       time: a step, or the membrane's time constant
    Q_w = w * threshold * capacitance         : coulomb   what one spike brings through a synapse

A step v = beta v + I is a leak and a pulse of charge I C threshold; a membrane tau dv/dt = -v + I is held at the
threshold by C threshold/tau. So a weight is the same charge in both models.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

STEP_MS = 1.0
"""Length of one step in Brian2's time. Rates and decays are a step's, so that nothing else depends on it."""
DECAYS = {"beta": "tau_m", "alpha": "tau_syn", "rho": "tau_adaptation"}
"""Time constants of a step's decays, by the names that neurons give these."""


@dataclass(frozen=True)
class Scale:
    """What a threshold of 1 and a capacitance of 1 stand for; potentials are counted from rest.

    Args:
        threshold_mV: distance from rest to threshold, > 0.
        capacitance_pF: of a membrane, > 0.
    """

    threshold_mV: float = 20.0
    capacitance_pF: float = 100.0

    @property
    def _charge(self) -> str:
        return f"{self.threshold_mV!r}*mV*{self.capacitance_pF!r}*pF"

    def current_pA(self, time_ms: float) -> float:
        """Current of strength 1, of a step or a membrane's time constant of this length."""
        return self.threshold_mV * self.capacitance_pF / time_ms

    def voltage(self, v: str = "v", name: str = "V_m") -> str:
        """Equation of a membrane in volt, of a variable or expression in thresholds."""
        return f"{name} = {v}*{self.threshold_mV!r}*mV : volt"

    def current(self, strength: str = "I", time_ms: float = STEP_MS, name: str = "I_m") -> str:
        """Equation of a current in ampere; `time_ms` is a step's, or the membrane's time constant."""
        return f"{name} = {strength}*{self._charge}/({time_ms!r}*ms) : amp"

    def charge(self, w: str = "w", name: str = "Q_w") -> str:
        """Equation of the charge that one spike brings, in coulomb: all that its current ever brings."""
        return f"{name} = {w}*{self._charge} : coulomb"

    def header(self) -> str:
        """The scale, for a person."""
        return (
            f"# scale: v = 1 is {self.threshold_mV:g} mV above rest, capacitance {self.capacitance_pF:g} pF, w = 1 is "
            f"{self.threshold_mV * self.capacitance_pF / 1000:g} pC a spike; variables with : 1 count in these"
        )

    def told(self, name: str, value: float | np.ndarray) -> str:
        """A number of a stepped model with its units; "" where it has none."""
        if name in DECAYS:
            return f"{DECAYS[name]} = {_span(_time_constant(value), 'ms')}"
        match name:
            case "v_threshold":
                return _span(np.atleast_1d(value) * self.threshold_mV, "mV")
            case "refractory_steps":
                return _span(np.atleast_1d(value) * STEP_MS, "ms")
            case "b" | "injected" | "I_beside":
                return _span(np.atleast_1d(value) * self.current_pA(STEP_MS), "pA")
        return ""


SCALE = Scale()
"""Of every model here. A threshold 20 mV above rest and 100 pF (100 MOhm at 10 ms) are orders of size of a cortical
cell's, chosen for round numbers; no result depends on them."""


def _time_constant(decay: float | np.ndarray) -> np.ndarray:
    """From a decay a step in [0, 1], in ms: 0 forgets at once, 1 never."""
    return np.array(
        [0.0 if one <= 0 else math.inf if one >= 1 else -STEP_MS / math.log(one) for one in np.ravel(decay)]
    )


def _span(values: np.ndarray, unit: str) -> str:
    if not values.size:
        return ""
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"
