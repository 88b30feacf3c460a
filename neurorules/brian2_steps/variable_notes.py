"""Notes on the variables of networks that run step by step, for a reader of a script."""

from __future__ import annotations

NOTES = {
    "S": "what is sent: a spike is 1",
    "v": "membrane before the reset; the threshold is v_threshold",
    "u": "membrane after the reset",
    "I": "current of this step",
    "I_in": "sum of what has arrived",
    "I_loop": "sum of what has arrived from the layer itself",
    "I_hat": "normalised current",
    "S_late": "what was sent in the step before",
    "b": "bias",
    "b_change": "change of the bias, summed over the steps",
    "w": "weight",
    "w_change": "change of the weight, summed over the steps",
    "m": "third factor, read from a table",
    "dv_dw": "eligibility: derivative of the membrane by the weight",
    "dv_dI": "derivative of the membrane by the bias",
    "beta": "share of the membrane that is left after a step",
    "alpha": "share of the synaptic current that is left after a step",
    "v_threshold": "threshold",
    "centre": "running mean of the current",
    "gain": "1 / running standard deviation of the current",
    "I_mean": "current that the running mean of the input brings",
    "mean_in": "running mean of the presynaptic neuron",
    "V_m": "membrane in volt",
    "I_m": "current in ampere",
    "Q_w": "charge that a spike brings",
}
"""What the variables of stepped networks are, for a reader."""
