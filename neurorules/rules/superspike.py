"""SuperSpike: the error of each step times a filtered product of psi(v) and the synapse's postsynaptic potential."""

from __future__ import annotations

import math
from typing import Literal

from neurorules.language.eligibility import Eligibility
from neurorules.language.ranges import Positive, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._online import CENTRED


@ranged("rule 'superspike'")
def superspike(
    *,
    feedback: Literal["random", "symmetric"] = "random",
    tau_mem_ms: Positive = 10.0,
    tau_syn_ms: Positive = 5.0,
    dt_ms: Positive = 1.0,
) -> Rule:
    """SuperSpike: dw = -m e, with e = alpha * (psi(v) (eps * S_pre)), where * is a convolution, eps a postsynaptic
    potential, and alpha has the same shape as eps.

    The neurons are `cuba_lif` with the same time constants.

    Args:
        feedback: the weights that carry the error of each step to hidden neurons: fixed random weights, or the
            transpose of the read-out's (symmetric), which must then read every hidden layer.
        tau_mem_ms: time constant of the membrane, and of the decay of potentials and eligibilities, in ms, above 0.
        tau_syn_ms: time constant of the synaptic current, and of the rise of potentials and eligibilities, in ms, above
            0.
        dt_ms: duration of one step in ms, above 0.

    Returns:
        The rule with its texts, eligibilities, signal, default settings and source.
    """
    mem, syn = math.exp(-dt_ms / tau_mem_ms), math.exp(-dt_ms / tau_syn_ms)
    return Rule(
        name="superspike",
        plasticity=(Plasticity("w", "-through_norm(m_post) * e", statistics="held"), *DELTA_RULE),
        signal=SignalSpec("dfa", {"feedback": feedback}),
        errors="step",
        constants={"rise": 1 - syn, "fall": 1 - mem},
        eligibilities=(
            Eligibility("current", syn, CENTRED),
            Eligibility("potential", mem, "current"),
            Eligibility("rising", syn, "rise * psi(v_post) * potential"),
            Eligibility("e", mem, "fall * rising"),
        ),
        defaults=Defaults(
            neuron=f"cuba_lif:alpha={syn:.6g}:beta={mem:.6g}",
            readout_neuron=f"leaky_readout:beta={mem:.6g}",
        ),
        source=SOURCE,
    )


SOURCE = Source(
    "F. Zenke, S. Ganguli",
    2018,
    "SuperSpike: supervised learning in multilayer spiking neural networks",
    (
        "the error of each step is that of the softmax of a leaky read-out; in the paper it is the filtered difference "
        "between a target spike train and the output's",
        "the read-out has no spikes, leaks and learns by the delta rule",
        "changes are not divided by the largest square of an error so far; Adam divides them by their own",
        "feedback is random or symmetric; the paper's uniform one teaches nothing where the errors of all classes add "
        "up to zero",
        "weights change once a trial, by the sum over its steps",
        "psi is the neuron's own surrogate, 1 / (1 + 2 |v - 1|)^2; the paper's has a slope of 10 in thresholds",
        "resets are by subtraction, and no neuron is refractory",
        "streaming normalisation, whose gain stands in the update (norm none: neither)",
    ),
    constants={"rise": "0.181269, of 5 ms at steps of 1 ms", "fall": "0.0951626, of 10 ms"},
    link="https://doi.org/10.1162/neco_a_01086",
)

ENTRY = superspike
