"""The integration that a script holds is that of our runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurorules.brian2_objects.exact import ExactStep, propagators
from neurorules.brian2_objects.exact_alone import FUNCTIONS

EXPONENTIAL, EXACT = FUNCTIONS


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_its_matrix_exponential_is_that_of_scipy(size: int, scale: float) -> None:
    matrix = scale * np.random.default_rng(0).normal(size=(size, size))
    ours, _ = propagators(matrix, 1.0)
    np.testing.assert_allclose(EXPONENTIAL(matrix), ours, rtol=1e-11, atol=1e-12 * np.abs(ours).max())


EQUATIONS = """
dv/dt = (I_in + b - v)/(10.0*ms) : 1 (unless refractory)
dI_in/dt = -I_in/(3.0*ms) : 1
dtheta/dt = (v - theta)/(10.0*ms) : 1
b : 1
"""


def moved(method: Any) -> np.ndarray:
    import brian2

    from neurorules.brian2_steps.backend import generating

    with generating(brian2, "numpy"):
        group = brian2.NeuronGroup(
            3, EQUATIONS, threshold="v > 1", reset="v -= 1", refractory=3 * brian2.ms, method=method, namespace={},
            dt=1 * brian2.ms,
        )  # fmt: skip
        group.b, group.I_in = [0.5, 2.5, 9.0], [0.0, 1.0, 2.0]
        brian2.Network(group).run(20 * brian2.ms, namespace={})
        return np.array([group.v, group.I_in, group.theta])


def test_its_steps_are_those_of_our_runs_also_of_refractory_neurons_with_equal_time_constants() -> None:
    pytest.importorskip("brian2")
    ours, alone = moved(ExactStep(1.0)), moved(EXACT)
    np.testing.assert_allclose(alone, ours, rtol=1e-13, atol=0)
    assert np.isfinite(ours).all() and ours[0, 2] != ours[0, 1]
