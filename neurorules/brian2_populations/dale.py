"""Dale's law: all synapses of one neuron excite, or all of them inhibit, and no weight crosses zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurorules.brian2_steps.backend import load_brian2
from neurorules.language.errors import UserError

SIGN = "dale_sign"
"""The variable of synapses that is 1 if they excite and -1 if they inhibit."""
WORDS = {1: "excites", -1: "inhibits"}


def check_dale(*synapses: Any) -> None:
    """Check that projections obey Dale's law, before a run or after one.

    Args:
        synapses: the synapses of `projection`, or others with a shared variable `dale_sign` and a strength `weight` or
            `w`.

    Raises:
        UserError: a weight is negative or no number, or a neuron excites through one projection and inhibits through
            another; the message names it.
    """
    earlier: dict[str, tuple[np.ndarray, dict[int, str]]] = {}
    for one in synapses:
        sign = int(np.asarray(getattr(one, SIGN)))
        for variable in ("weight", "w"):
            if variable in one.variables:
                _check_weights(one, variable)
        first, group = _root(one.source)
        signs, names = earlier.setdefault(group.name, (np.zeros(len(group), dtype=int), {}))
        mine = np.unique(np.asarray(one.i)) + first
        other = mine[signs[mine] == -sign]
        if len(other):
            raise UserError(
                f"neuron {other[0]} of '{group.name}' {WORDS[-sign]} through '{names[-sign]}' and {WORDS[sign]} "
                f"through '{one.name}'. Dale's law allows one of them: give the projections sources of their own"
            )
        signs[mine] = sign
        names[sign] = one.name


def _check_weights(synapses: Any, variable: str) -> None:
    values = np.asarray(getattr(synapses, variable))
    wrong = np.flatnonzero(~(values >= 0))
    if len(wrong):
        raise UserError(
            f"synapse {wrong[0]} of '{synapses.name}' has {variable} = {values[wrong[0]]:g}, which is on the other "
            f"side of zero. A weight is a strength from 0 on, and the receptor has the side on which it acts"
        )


def _root(group: Any) -> tuple[int, Any]:
    """The whole group of which this is a part, and the index at which the part begins."""
    return (int(group.start), group.source) if isinstance(group, load_brian2().Subgroup) else (0, group)
