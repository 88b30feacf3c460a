"""The template of the file that `neurorules new rule NAME` writes."""

from __future__ import annotations

TEMPLATE = '''"""{title}: say in one line what it does."""

from __future__ import annotations

from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec


def {name}() -> Rule:
    """{title}. Keyword parameters of this function become options: `{name}:key=value`."""
    return Rule(
        name="{name}",
        plasticity=(
            # One text for each parameter. The suffixes `_post` and `_pre` name the neuron; a name without suffix is the
            # synapse's own. A text may read m_post (third factor), v_post (membrane before reset), i_post (current),
            # S_pre, S_post (spikes), kept_post (dropout's mask of the neuron's own spikes), mean_pre (running mean of
            # S_pre), w. psi() is the neuron's pseudo-derivative; through_norm() carries a post factor back through the
            # neuron's own normalisation. delay(S_pre, 3) is S_pre three steps ago. With trace_decay=0.8 there are x_pre
            # and x_post, low-pass traces of the spikes, and before(x_pre), the trace without this step's spike.
            # traces=(Trace("u", 0.9, "psi(v)"),) declares another trace of each neuron, u_post
            # (neurorules.language.neuron_trace), and eligibilities=(Eligibility("e", 0.9, "psi(v_post) * S_pre"),) a
            # trace of each synapse, e (neurorules.language.eligibility).
            Plasticity("w", "-through_norm(m_post * psi(v_post)) * (S_pre - mean_pre)"),
            Plasticity("b", "-m_post * psi(v_post)"),
            *DELTA_RULE,  # the read-out's own rule
        ),
        # The learning signal that computes m_post (see: neurorules list signals), or None for a rule without one.
        signal=SignalSpec("dfa"),
        # The texts contain no learning rate: the optimiser has it.
        defaults=Defaults(lr=3e-3, readout_lr=3e-3, optimizer="adam"),
        source=Source("Your name", {year}, "Title of the paper", ("how this differs from the paper",), link=""),
    )


ENTRY = {name}
'''
