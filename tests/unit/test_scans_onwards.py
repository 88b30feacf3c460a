"""The second low-pass of a reverse scan: the compiled one equals plain torch bit for bit, and both equal two scans."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scan_cases import PSIS, SIZES, in_plain_torch, same

from neurorules.native.scans import Affine, Onwards, Psi, Reset, Through, build, reverse, scan, scan_inputs
from neurorules.native.scans.reference import surrogate
from neurorules.torch_path.update.eligibility_by_synapse import gated_reverse_scan


@settings(max_examples=60, deadline=None)
@given(
    size=SIZES, dtype=st.sampled_from([torch.float32, torch.float64]), reset=st.sampled_from(list(Reset)),
    normalised=st.booleans(), first=st.sampled_from([None, *PSIS]), second=st.sampled_from(PSIS[:5]),
    weighed=st.booleans(), cut=st.booleans(), seed=st.integers(0, 2**31),
)  # fmt: skip
def test_the_second_low_pass_equals_plain_torch_and_a_scan_of_its_own(
    size: tuple[int, int, int], dtype: torch.dtype, reset: Reset, normalised: bool, first: Psi | None, second: Psi,
    weighed: bool, cut: bool, seed: int,
) -> None:  # fmt: skip
    if build.find_compiler() is None:
        pytest.skip("this machine has no C compiler")
    assert build.library() is not None
    generator, (steps, _, neurons) = torch.Generator().manual_seed(seed), size

    def drawn(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator, dtype=dtype)

    run = scan(current := drawn(*size) * 2 - 0.5, steps, 0.9, 1.0, reset)
    v = run.membranes
    through = Through(current, Affine(mean=drawn(neurons), gain=drawn(neurons)), drawn(neurons), drawn(neurons))
    onwards = Onwards(0.8, second if weighed or cut else None, weighed, cut)
    call = drawn(*size) - 0.5, steps, 0.7, reset
    known = {"v": v, "psi": first, "through": through if normalised else None, "outer": -1.5}
    ours = reverse(*call, **known, onwards=onwards)
    same(ours, in_plain_torch(reverse, *call, **known, onwards=onwards))
    same(ours[:4], reverse(*call, **known)[:4])  # the first scan is not changed
    rerun = scan_inputs(current, steps, 0.9, 1.0, reset)
    same(ours, reverse(*call, **known | {"v": None}, onwards=onwards, rerun=rerun))

    slope = surrogate(second, v, torch.ones((), dtype=dtype))
    factor = ours.at_each_step * slope if weighed else ours.at_each_step
    gate = 0.8 * (1 - slope) if cut else torch.full_like(factor, 0.8)
    wanted = gated_reverse_scan(factor, torch.cat([gate[:1], gate[:-1]]))  # its gate of t + 1 is read at t
    torch.testing.assert_close(ours.onwards, wanted)
    torch.testing.assert_close(ours.onwards_total, wanted.sum(0))


def test_a_low_pass_that_reads_psi_needs_membranes() -> None:
    factor = torch.ones(3, 2, 4)
    for onwards in (Onwards(0.5, None, weighed=True), Onwards(0.5, PSIS[5], cut=True), Onwards(0.5, PSIS[0], cut=True)):
        with pytest.raises(ValueError, match="reads psi of the membrane"):
            reverse(factor, 3, 0.5, Reset.NONE, onwards=onwards)
