"""Compare the spikes that two machines compute for one network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurorules.brian2_steps.case import Arrays
from neurorules.language.errors import UserError

ROUNDING = 1e-12
"""The largest difference of two graded outputs that rounding explains: the paths add currents in other orders."""


@dataclass(frozen=True)
class Difference:
    """The first place at which two paths differ: the earliest step, and in it the lowest layer, sample and neuron.

    Args:
        layer: name of the layer.
        step: t, from 0.
        sample: row of the batch, from 0.
        neuron: index in the flat population, from 0.
        left: the first path's output there.
        right: the second path's output there.
    """

    layer: str
    step: int
    sample: int
    neuron: int
    left: float
    right: float


@dataclass(frozen=True)
class Parity:
    """The outcome of a comparison.

    Args:
        samples: number of samples B.
        spikes_compared: number of outputs, over all layers, that are not 0 in at least one path.
        spikes_equal: whether all spikes are equal in both paths, and graded outputs to rounding.
        first_difference: the first place where they are not; None if they are equal.
    """

    samples: int
    spikes_compared: int
    spikes_equal: bool
    first_difference: Difference | None


def compare_spikes(left: Arrays, right: Arrays) -> Parity:
    """Compare the spikes of two paths, layer by layer.

    Whole numbers are spikes and must be equal. Outputs of graded neurons may differ by `ROUNDING`.

    Args:
        left: spikes of one path by layer, (T, B, N) or (T, B, *shape) each. These layers are compared in their order.
        right: spikes of the other path in the same form; layers that `left` lacks are not compared.

    Returns:
        How many spikes were compared, and where the first difference is.

    Raises:
        UserError: `left` has no layer, `right` lacks one, or the shapes of a layer differ.
    """
    if not left:
        raise UserError("there is no layer whose spikes could be compared. Give the spikes of at least one")
    samples, compared = 0, 0
    differences: list[Difference] = []
    for name, values in left.items():
        if name not in right:
            raise UserError(
                f"layer '{name}' is missing from one of the two paths, which has {', '.join(right) or 'no layer'}. "
                f"Compare runs of one net"
            )
        a, b = _flat(values), _flat(right[name])
        if a.shape != b.shape:
            raise UserError(
                f"the spikes of layer '{name}' have the shapes {a.shape} and {b.shape} in the two paths. Compare runs "
                f"of one net on the same samples"
            )
        samples = a.shape[1]
        compared += int(np.count_nonzero((a != 0) | (b != 0)))
        graded = (a != np.floor(a)) | (b != np.floor(b))
        where = np.argwhere(np.where(graded, ~np.isclose(a, b, rtol=ROUNDING, atol=ROUNDING), a != b))
        if len(where):
            t, row, neuron = (int(k) for k in where[0])
            differences.append(Difference(name, t, row, neuron, float(a[t, row, neuron]), float(b[t, row, neuron])))
    return Parity(samples, compared, not differences, min(differences, key=lambda d: d.step, default=None))


def _flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(*values.shape[:2], -1)
