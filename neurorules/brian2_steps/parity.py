"""Are the spikes of two paths the same?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurorules.brian2_steps.case import Arrays
from neurorules.language.errors import UserError


@dataclass(frozen=True)
class Difference:
    """Where two paths first differ: earliest step, then the lowest layer, sample, neuron.

    Args:
        layer: name.
        step: t, from 0.
        sample: row, from 0.
        neuron: index in the flat population.
        left: value in the first path.
        right: in the second.
    """

    layer: str
    step: int
    sample: int
    neuron: int
    left: float
    right: float


@dataclass(frozen=True)
class Parity:
    """Outcome of a comparison.

    Args:
        samples: B.
        spikes_compared: spikes that either path has, over all layers.
        spikes_equal: whether each of them is in both.
        first_difference: None where they are equal.
    """

    samples: int
    spikes_compared: int
    spikes_equal: bool
    first_difference: Difference | None


def compare_spikes(left: Arrays, right: Arrays) -> Parity:
    """Compare spikes by layer, (T, B, N) or (T, B, *shape) each.

    Args:
        left: spikes of one path; its layers are compared, in order.
        right: of the other; further layers are left aside.

    Raises:
        UserError: nothing to compare, a layer that one path lacks, or shapes that differ.
    """
    if not left:
        raise UserError("there is no layer whose spikes could be compared")
    samples, compared = 0, 0
    found: list[Difference] = []
    for name, values in left.items():
        if name not in right:
            raise UserError(f"layer '{name}' is missing from one path, which has {', '.join(right) or 'none'}")
        a, b = _flat(values), _flat(right[name])
        if a.shape != b.shape:
            raise UserError(f"spikes of layer '{name}' have shapes {a.shape} and {b.shape} in the two paths")
        samples = a.shape[1]
        compared += int(np.count_nonzero((a != 0) | (b != 0)))
        where = np.argwhere(a != b)
        if len(where):
            t, row, neuron = (int(k) for k in where[0])
            found.append(Difference(name, t, row, neuron, float(a[t, row, neuron]), float(b[t, row, neuron])))
    return Parity(samples, compared, not found, min(found, key=lambda d: d.step, default=None))


def _flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(*values.shape[:2], -1)
