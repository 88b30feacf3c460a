"""Event-driven random backpropagation: presynaptic spikes apply the step's error if the membrane is within a window."""

from __future__ import annotations

from neurorules.language.errors import UserError
from neurorules.language.ranges import Number, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._online import CENTRED

WINDOW = "(v_post > low) * (v_post < high)"


@ranged("rule 'erbp'")
def erbp(*, low: Number = -0.6, high: Number = 0.6) -> Rule:
    """Event-driven random backpropagation: dw = -m S_pre if low < v - 1 < high, where m is a random matrix times the
    error.

    With the setting last_steps, only the last steps contribute. In the paper the first 20 % of a sample do not.

    Args:
        low: lower end of the window, relative to the threshold and in units of it.
        high: upper end of the window, in the same unit.

    Returns:
        The rule with its texts, signal, default settings and source.

    Raises:
        UserError: low is not below high.
    """
    if not low < high:
        raise UserError(f"the window of rule 'erbp' goes from {low:g} to {high:g}. Give low below high")
    return Rule(
        name="erbp",
        plasticity=(
            Plasticity("w", f"-through_norm(m_post * {WINDOW}) * ({CENTRED})"),
            Plasticity("b", f"-m_post * {WINDOW}"),
            *DELTA_RULE,
        ),
        signal=SignalSpec("dfa"),
        errors="step",
        constants={"low": 1 + low, "high": 1 + high},
        defaults=Defaults(neuron="lif:beta=0.9"),
        source=Source(
            "E. O. Neftci, C. Augustine, S. Paul, G. Detorakis",
            2017,
            "Event-driven random back-propagation: enabling neuromorphic deep learning machines",
            (
                "the window is one of the membrane about its threshold, which is 1; the paper's is one of the current",
                "errors are graded, of the read-out's softmax at each step; the paper's are spikes of two populations",
                "an error acts at its step; the paper's is kept by a dendrite for a while",
                "every step teaches, unless last_steps names fewer; in the paper the first fifth of a sample does not",
                "every spike is transmitted; the paper's synapses drop a third of them, in training and after",
                "weights change once a trial, by the sum over its steps",
                "Adam, and streaming normalisation, which centres and decorrelates the update (norm none: neither)",
            ),
            link="https://arxiv.org/abs/1612.05596",
            constants={"low": "-0.6 of the current", "high": "0.6 of the current"},
        ),
    )


ENTRY = erbp
