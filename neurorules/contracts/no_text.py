"""The error for a neuron that the stepped Brian2 model cannot run."""

from __future__ import annotations

from neurorules.language.errors import UserError


def no_brian2_text(kind: str) -> UserError:
    """The error for a neuron model that has no Brian2 text."""
    return UserError(f"neuron '{kind}' has no Brian2 text, so it runs in torch alone: use --path torch")
