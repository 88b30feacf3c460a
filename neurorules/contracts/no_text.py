"""The errors for neurons that the stepped Brian2 model cannot run, and for those whose spikes have no times."""

from __future__ import annotations

from neurorules.language.errors import UserError


def no_brian2_text(kind: str) -> UserError:
    """The error for a neuron model that has no Brian2 text."""
    return UserError(f"neuron '{kind}' has no Brian2 text, so it runs in torch alone. Use one that has, such as lif")


def no_spike_times(why: str) -> UserError:
    """The error for a neuron by whose spike times no derivative can be taken.

    Args:
        why: the reason, as the beginning of a sentence.
    """
    return UserError(
        f"{why}, and the rule learns by the times of spikes. Use --neuron cuba_lif with a reset that is not delayed, "
        f"or another rule, such as bptt"
    )
