"""A compiled network gives what copies of it give, sample after sample, and is not compiled again for other weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurorules.brian2_steps.compiled import SAMPLES, compile_network, run_compiled
from neurorules.brian2_steps.program import find_cpp_compiler
from neurorules.brian2_steps.simulate import simulate
from neurorules.network.network import build_network

pytestmark = pytest.mark.skipif(find_cpp_compiler() is None, reason="no C++ compiler")


@pytest.mark.parametrize("constant", [True, False])
def test_samples_after_one_another_are_as_samples_side_by_side(constant: bool) -> None:
    network = build_network("7-r6", (5,), 2, norm="none", neuron="cuba_lif:alpha=0.7:beta=0.9:refractory=1")
    generator = torch.Generator().manual_seed(0)
    steps, samples = 9, 4
    shape = (samples, 5) if constant else (steps, samples, 5)
    drive = (torch.randint(-128, 512, shape, generator=generator).double() / 256).numpy()
    compiled_at = None
    for seed in range(2):
        start = network.initial_parameters(generator.manual_seed(seed), torch.float64)
        parameters = {name: (value * 512).round().numpy() / 256 for name, value in start.items()}
        streamed = compile_network(network, parameters, steps, constant=constant)
        program = streamed.program.folder / "main"
        compiled_at = compiled_at or program.stat().st_mtime_ns
        found = run_compiled(streamed, network, drive)
        expected = simulate(network, parameters, drive, steps)
        for name, layer in expected.items():
            np.testing.assert_array_equal(found[name].S, layer.S, err_msg=name)
            np.testing.assert_allclose(found[name].v, layer.v, rtol=0, atol=1e-9)
        assert sum(layer.S.sum() for layer in expected.values()) > 20
        assert program.stat().st_mtime_ns == compiled_at
    assert samples < SAMPLES
