"""Receptors: the effect of a spike on a postsynaptic neuron, as equations of its group, and whether it excites or
inhibits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from neurorules.brian2_steps.backend import load_brian2
from neurorules.language.errors import UserError

KINDS = ("excitatory", "inhibitory")
"""The kinds of receptors, and the sign of a spike's effect."""
TOTAL = "syn"
"""The end of the name of the sum of all synaptic currents."""


@dataclass(frozen=True)
class Receptor:
    """The postsynaptic part of one kind of synapse.

    Args:
        variable: the variable of the postsynaptic group, which a spike changes.
        kind: "excitatory" or "inhibitory".
        unit: the unit of the variable and of a weight, as equations write it: "siemens", "amp", "volt" or "1".
        sign: 1 if a spike adds its weight to the variable, -1 if it subtracts it. Weights are never negative.
        equations: lines that the postsynaptic group needs; () if the group already has the variable.
        current: name of the current that flows into the cell, in ampere; "" for a jump, which is not a current.
    """

    variable: str
    kind: str
    unit: str
    sign: int
    equations: tuple[str, ...] = ()
    current: str = ""


def conductance(name: str, kind: str, tau: Any, reversal: Any) -> Receptor:
    """Make a receptor that opens a conductance, which decays: tau dg/dt = -g, and a current g (reversal - v).

    Args:
        name: the name of the receptor, such as "e"; its conductance is g_e and its current I_e.
        kind: "excitatory" or "inhibitory".
        tau: time constant of the decay, a time with Brian2's units.
        reversal: reversal potential, a voltage with Brian2's units.

    Returns:
        The receptor. Its postsynaptic group has a membrane `v` in volt.

    Raises:
        UserError: the name is no word, or the kind, the time or the voltage is none.
    """
    brian2 = load_brian2()
    _check(name, kind)
    tau_ms, reversal_mV = (
        _number(tau, brian2.ms, "ms", "tau of a receptor"),
        _number(reversal, brian2.mV, "mV", "reversal of a receptor"),
    )
    _positive(tau_ms)
    equations = (
        f"dg_{name}/dt = -g_{name}/({tau_ms!r}*ms) : siemens",
        f"I_{name} = g_{name}*({reversal_mV!r}*mV - v) : amp",
    )
    return Receptor(f"g_{name}", kind, "siemens", 1, equations, f"I_{name}")


def current(name: str, kind: str, tau: Any) -> Receptor:
    """Make a receptor whose spikes cause a current, which decays: tau dI/dt = -I.

    Args:
        name: the name of the receptor, such as "e"; its current is I_e.
        kind: "excitatory" or "inhibitory"; an inhibitory spike subtracts its weight.
        tau: time constant of the decay, a time with Brian2's units.

    Returns:
        The receptor.

    Raises:
        UserError: the name is no word, or the kind or the time is none.
    """
    _check(name, kind)
    tau_ms = _number(tau, load_brian2().ms, "ms", "tau of a receptor")
    _positive(tau_ms)
    equations = (f"dI_{name}/dt = -I_{name}/({tau_ms!r}*ms) : amp",)
    return Receptor(f"I_{name}", kind, "amp", 1 if kind == "excitatory" else -1, equations, f"I_{name}")


def jump(variable: str, kind: str, unit: Literal["volt", "amp", "siemens", "1"] = "volt") -> Receptor:
    """Make a receptor whose spikes change a variable that the postsynaptic group has.

    With unit "1" it ends at groups of this package: `jump("I_in", kind, "1")` at spiking units of `brian2_circuit`, and
    `jump("v", kind, "1")` at those of `brian2_network`.

    Args:
        variable: name of the variable, such as "v".
        kind: "excitatory" or "inhibitory"; an inhibitory spike subtracts its weight.
        unit: the unit of the variable.

    Returns:
        The receptor, which needs no equations.

    Raises:
        UserError: the variable is no word, or the kind is none.
    """
    _check(variable, kind)
    return Receptor(variable, kind, unit, 1 if kind == "excitatory" else -1)


def synaptic_equations(*receptors: Receptor) -> str:
    """Write what receptors add to the equations of their postsynaptic group.

    Args:
        receptors: one or more, of different names.

    Returns:
        Lines in Brian2's syntax, the last of which is `I_syn`, the sum of all synaptic currents in ampere, for the
        equation of the membrane: `C dv/dt = g_leak (E_leak - v) + I_syn`.

    Raises:
        UserError: two receptors have one name, or none of them has a current.
    """
    currents = [one.current for one in receptors if one.current]
    if not currents or len(set(currents)) < len(currents):
        raise UserError(
            f"synaptic_equations(...) has the currents {', '.join(currents) or 'none'}. Give receptors with currents "
            f"of different names"
        )
    lines = [line for one in receptors for line in one.equations]
    return "\n".join([*lines, f"I_{TOTAL} = {' + '.join(currents)} : amp"])


def _check(name: str, kind: str) -> None:
    if not name.isidentifier():
        raise UserError(f"a receptor has the name '{name}', which cannot stand in an equation. Give a word, such as e")
    if name == TOTAL:
        raise UserError(
            f"a receptor has the name '{name}', and I_{name} is the sum of all synaptic currents. Give another name"
        )
    if kind not in KINDS:
        raise UserError(f"receptor '{name}' is of kind '{kind}'. Use excitatory or inhibitory")


def _positive(tau_ms: float) -> None:
    if not tau_ms > 0:
        raise UserError(f"tau of a receptor is {tau_ms:g} ms. Give a time above 0")


def _number(value: Any, unit: Any, word: str, what: str) -> float:
    """A quantity as a number of a unit."""
    if not load_brian2().have_same_dimensions(value, unit):
        raise UserError(f"{what} is {value}, which is not a number of {word}. Give one, such as 5*{word}")
    return float(value / unit)
