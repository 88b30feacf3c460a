"""The compiled scans equal plain torch bit for bit, over random sizes, types, resets and surrogates."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scan_cases import PSIS, SIZES, in_plain_torch, same

from neurorules.native.scans import Affine, Psi, Reset, build, reverse, scan


@settings(max_examples=40, deadline=None)
@given(
    size=SIZES, dtype=st.sampled_from([torch.float32, torch.float64]), reset=st.sampled_from(list(Reset)),
    delay=st.booleans(), constant=st.booleans(), of_each=st.booleans(), shifted=st.booleans(),
    psi=st.sampled_from([None, *PSIS]), seed=st.integers(0, 2**31),
)  # fmt: skip
def test_scans_of_any_size_equal_plain_torch_bit_for_bit(
    size: tuple[int, int, int], dtype: torch.dtype, reset: Reset, delay: bool, constant: bool, of_each: bool,
    shifted: bool, psi: Psi | None, seed: int,
) -> None:  # fmt: skip
    if build.find_compiler() is None:
        pytest.skip("this machine has no C compiler")
    assert build.library() is not None
    generator, (steps, _, neurons) = torch.Generator().manual_seed(seed), size

    def drawn(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator, dtype=dtype)

    beta, threshold = (drawn(neurons), drawn(neurons) + 0.5) if of_each else (0.9, 1.0)
    affine = Affine(*(drawn(neurons) for _ in range(4))) if shifted else Affine()
    call = drawn(*(size[1:] if constant else size)) * 2 - 0.5, steps, beta, threshold, reset, delay
    wanted = {"affine": affine, "moments": True, "spike_total": True}
    run = scan(*call, **wanted)
    same(run, in_plain_torch(scan, *call, **wanted))
    back = drawn(*size), steps, beta, reset
    known = {"spikes": run.spikes, "v": run.v, "v_threshold": threshold, "psi": psi}
    same(reverse(*back, **known), in_plain_torch(reverse, *back, **known))
