"""The window of spike-timing-dependent plasticity, measured pair by pair.

One wire a pair: its source fires at one time, its target at another, and the rule's own text, lowered to statements at
spikes, changes the weight. Values of Song, Miller, Abbott (2000): A+ = 0.005, A- = 1.05 A+, both time constants 20 ms.
Source of the values: as given for the same authors' window by vh-lab's `stdp_apply`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurorules.brian2_continuous.parts.at_spikes import lower_events
from neurorules.brian2_continuous.parts.circuit import Circuit, Pairs, Units, Wires
from neurorules.brian2_continuous.parts.machine import Machine
from neurorules.brian2_continuous.parts.traces import decaying, unit_traces
from neurorules.language.rules import Rule
from neurorules.rules import RULES

A_PLUS, A_MINUS, TAU_PLUS_MS, TAU_MINUS_MS = 0.005, 0.00525, 20.0, 20.0
FIRST_MS, PERIOD_MS = 50.0, 1000.0
"""When the sources fire in each period; a period is long enough for traces to fade: exp(-50) of 1 is left."""
START = {"weights.w": 0.5}


def song_rule() -> Rule:
    """`stdp` with the paper's amplitudes, in which spikes of one step form no pair."""
    rule = RULES.make(f"stdp:a_plus={A_PLUS}:a_minus={A_MINUS}:same_step=neither")
    assert isinstance(rule, Rule)
    return rule


def stdp_window(
    differences_ms: np.ndarray,
    rule: Rule,
    *,
    tau_plus_ms: float = TAU_PLUS_MS,
    tau_minus_ms: float = TAU_MINUS_MS,
    pairings: int = 1,
    dt_ms: float = 0.5,
) -> Circuit:
    """Wires one to one between units that fire once a period.

    Args:
        differences_ms: (N,) time of the target's spike less that of the source's, within -50..50.
        rule: whose text changes the weights.
        tau_plus_ms, tau_minus_ms: of the sources' and of the targets' traces, > 0.
        pairings: periods.
        dt_ms: step, of which every time is a multiple.
    """
    size = len(differences_ms)
    changes = lower_events(rule, "1.0", unit_traces(rule, dt_ms), dt_ms)
    units = (
        firing_at("source", np.full(size, FIRST_MS), dt_ms, tau_plus_ms),
        firing_at("target", FIRST_MS + differences_ms, dt_ms, tau_minus_ms),
    )
    wires = Wires(
        "weights",
        "source",
        "target",
        ("w : 1",),
        **{name: lines for name, lines in changes._asdict().items() if name != "every_step"},
        start={"w": START["weights.w"]},
        keeps=("w",),
        pairs=Pairs(np.arange(size), np.arange(size)),
    )
    return Circuit(units, (wires,), {}, pairings, PERIOD_MS, dt_ms)


def firing_at(name: str, times_ms: np.ndarray, dt_ms: float, tau_ms: float) -> Units:
    """Units that fire once a period, and their traces.

    Args:
        name: of the population.
        times_ms: (N,) in 0..PERIOD_MS.
        dt_ms: step.
        tau_ms: of the traces.
    """
    steps = round(PERIOD_MS / dt_ms)
    return Units(
        name,
        len(times_ms),
        ("due : 1", decaying("x", tau_ms)),
        threshold=f"abs(timestep(t, {dt_ms!r}*ms) % {steps} - due) < 0.5",
        reset=("x += 1",),
        start={"due": np.round(times_ms / dt_ms)},
        spikes=True,
    )


def measure(machine: Machine, circuit: Circuit) -> np.ndarray:
    """Change of each wire's weight after all pairings, (N,)."""
    start: Mapping[str, float | np.ndarray] = circuit.starts()
    machine.run(start, {})
    return machine.read("weights.w") - START["weights.w"]
