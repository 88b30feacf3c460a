"""The refusal of a neuron that stepped Brian2 cannot run."""

from __future__ import annotations

from neurorules.language.errors import UserError


def no_brian2_text(kind: str) -> UserError:
    """The refusal of a kind of neuron that no Brian2 text describes."""
    return UserError(f"neuron '{kind}' has no Brian2 text, so it runs in torch alone: use --path torch")
