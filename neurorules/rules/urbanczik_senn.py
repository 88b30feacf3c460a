"""Dendritic prediction: synapses learn until the dendrite predicts the soma, whose potential a teacher shifts."""

from __future__ import annotations

import math
from typing import Annotated

from neurorules.language.eligibility import Eligibility
from neurorules.language.errors import UserError
from neurorules.language.ranges import Number, Positive, Range, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._online import CENTRED

THRESHOLD, K, PHI_MAX_PER_MS = 1.0, 0.5, 0.15
"""Constants of phi(u) = phi_max / (1 + k exp(beta (threshold - u))), the rate at which a soma of potential u fires."""
SOMA = "v_post + nudge * ((m_post < 0) * (e_exc - v_post) + (m_post > 0) * (e_inh - v_post))"
"""The potential of the soma. It equals that of the dendrite if m is 0; otherwise it is shifted towards the teacher's
reversal potential."""
FIRES, PREDICTED = (f"tanh(slope * ({potential} - middle))" for potential in (SOMA, "v_post"))
"""phi of the soma and of the dendrite, rescaled to 2 phi / phi_max - 1."""
INDUCTION = f"half * ({FIRES} - {PREDICTED}) * slope * (1 - {PREDICTED})"
"""(phi(U) - phi(V)) h(V), where h = phi' / phi."""


@ranged("rule 'urbanczik_senn'")
def urbanczik_senn(
    *,
    nudge: Annotated[float, Range("(0, 1]")] = 0.2,
    e_exc: Number = 14 / 3,
    e_inh: Number = -1 / 3,
    beta: Positive = 5.0,
    tau_mem_ms: Positive = 10.0,
    tau_syn_ms: Positive = 3.0,
    dt_ms: Positive = 5.0,
) -> Rule:
    """dw = (phi(U) - phi(V)) h(V) PSP: V is the dendrite's prediction, and U = V + nudge (E - V) the soma's potential.

    V is the membrane of a neuron without reset. The teacher of a neuron excites its soma for some classes and inhibits
    it for the others, according to the fixed random matrix of `drtp`. Learning stops when V equals E.

    Args:
        nudge: share of the teacher's conductance in the total conductance of the soma, above 0, at most 1.
        e_exc: reversal potential E of an exciting teacher, in thresholds.
        e_inh: reversal potential E of an inhibiting teacher, in thresholds, below e_exc.
        beta: steepness of phi, per threshold, above 0.
        tau_mem_ms: time constant of the dendrite, with which postsynaptic potentials decay, in ms, above 0.
        tau_syn_ms: time constant with which postsynaptic potentials rise, in ms, above 0.
        dt_ms: duration of one step in ms, above 0.

    Returns:
        The rule with its texts, eligibilities, signal, default settings and source.

    Raises:
        UserError: e_exc is not above e_inh.
    """
    if not e_inh < e_exc:
        raise UserError(f"rule 'urbanczik_senn': e_exc={e_exc:g} must be above e_inh={e_inh:g}")
    mem, syn = math.exp(-dt_ms / tau_mem_ms), math.exp(-dt_ms / tau_syn_ms)
    return Rule(
        name="urbanczik_senn",
        plasticity=(
            Plasticity("w", f"through_norm({INDUCTION}) * psp"),
            Plasticity("b", INDUCTION),
            *DELTA_RULE,
        ),
        signal=SignalSpec("drtp"),
        constants={
            "nudge": nudge, "e_exc": e_exc, "e_inh": e_inh, "slope": beta / 2,
            "middle": THRESHOLD + math.log(K) / beta, "half": PHI_MAX_PER_MS * dt_ms / 2,
        },
        eligibilities=(Eligibility("current", syn, CENTRED), Eligibility("psp", mem, "current")),
        defaults=Defaults(neuron=f"cuba_lif:alpha={syn:.6g}:beta={mem:.6g}:reset=none", lr=0.01, readout_lr=0.01),
        source=SOURCE,
    )  # fmt: skip


SOURCE = Source(
    "R. Urbanczik, W. Senn",
    2014,
    "Learning by the dendritic prediction of somatic spiking",
    (
        "a teacher moves the soma for the change of weights alone; the spikes that the net sends are those of the "
        "dendrite's prediction, as in the paper once the teacher is gone",
        "the soma is as its conductances leave it at once; in the paper it follows within half a millisecond",
        "phi of the soma stands for its random spikes, whose mean it is; a neuron of the net spikes above threshold",
        "a neuron's teacher is one of two conductances, drawn at random for each class; the paper has no hidden layers",
        "the share of the teacher, nudge=0.2, and 5 ms a step are ours, chosen on validation samples",
        "potentials of synapses are not scaled by capacitance and conductance, and count in thresholds",
        "changes wait for no low-pass of 100 ms: weights change once a trial, by the sum over its steps",
        "weights are not bounded",
        "biases learn too",
        "the read-out learns by the delta rule",
        "Adam, and streaming normalisation, which centres and decorrelates the update (norm none: neither)",
        "constants are those of NEST's example and of its form without units",
    ),
    link="https://doi.org/10.1016/j.neuron.2013.11.030",
    constants={
        "nudge": "not told: a conductance of the teacher that varies in time",
        "e_exc": "4.66667, 14/3",
        "e_inh": "-0.333333, -1/3",
        "slope": "2.5, half of beta = 5",
        "middle": "0.861371, where phi is half of its highest, at k = 0.5",
        "half": "0.075 a ms, half of 0.15",
    },
)

ENTRY = urbanczik_senn
