"""The compiled way back from maxima of windows, against torch's own."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional
from watched_kernels import without_compiler

from neurorules.connections.conv2d_pooled import Conv2dPooled
from neurorules.native import pools
from neurorules.native.pools import native
from neurorules.native.scans import build
from neurorules.torch_path.process.threads import running_on
from neurorules.transforms.pool import Pool

DTYPES = [torch.float32, torch.float64]
SIDE = st.integers(2, 21) | st.sampled_from([28, 32, 33])


@pytest.fixture(autouse=True)
def compiled() -> None:
    if build.find_compiler() is None:
        pytest.skip("this machine has no C compiler")
    assert native.library() is not None


def by_torch(maps: Tensor, gradient: Tensor) -> Tensor:
    """The derivative that torch's autograd finds."""
    leaf = maps.clone().requires_grad_()
    (found,) = torch.autograd.grad(functional.max_pool2d(leaf, 2), leaf, gradient)
    return found


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 9), st.integers(1, 3), SIDE, SIDE, st.sampled_from(DTYPES), st.integers(1, 4), st.integers(1, 3),
    st.integers(0, 99),
)  # fmt: skip
@example(40, 3, 33, 29, torch.float32, 1, 2, 0)
def test_a_gradient_goes_back_to_the_first_maximum_of_each_window(
    rows: int, channels: int, high: int, wide: int, dtype: torch.dtype, levels: int, threads: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randint(-1, levels, (rows, channels, high, wide), generator=generator).to(dtype)
    gradient = torch.randn(rows, channels, high // 2, wide // 2, generator=generator, dtype=dtype)
    with running_on(threads):
        assert torch.equal(pools.back(maps, gradient), by_torch(maps, gradient))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wide", [4, 20])
def test_a_value_that_is_no_number_takes_the_gradient_of_its_window(dtype: torch.dtype, wide: int) -> None:
    maps, gradient = torch.rand(2, 3, 6, wide, dtype=dtype), torch.rand(2, 3, 3, wide // 2, dtype=dtype)
    maps[0, 1, 2, 1], maps[1, 0, 5, 2], maps[1, 2, 0, 0] = (float(text) for text in ("nan", "nan", "inf"))
    assert torch.equal(pools.back(maps, gradient), by_torch(maps, gradient))


def test_other_windows_types_and_what_autograd_records_are_left_to_torch() -> None:
    maps, gradient = torch.rand(2, 3, 6, 6), torch.rand(2, 3, 3, 3)
    assert pools.serves(maps, gradient, (2, 2))
    assert not pools.serves(maps, gradient, (3, 3)) and not pools.serves(maps, gradient, (1, 2))
    assert not pools.serves(maps, gradient.double(), (2, 2)) and not pools.serves(maps.half(), gradient.half(), (2, 2))
    watched = gradient.clone().requires_grad_()
    Pool(2, "max").adjoint(maps, None, watched).sum().backward()
    assert watched.grad is not None and torch.equal(watched.grad, torch.ones_like(gradient))


def both_ways(rows: Tensor, gradient: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """Through a pool behind a population, and through one behind a convolution."""
    connection = Conv2dPooled(4, pool=2)
    return Pool(2, "max").adjoint(rows, None, gradient), connection.correlate(
        w, gradient[:, :1].repeat(1, 4, 1, 1), rows
    )


@pytest.mark.parametrize("contiguous", [True, False])
def test_pools_go_back_the_same_with_and_without_a_compiler(contiguous: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(1)
    rows = torch.randint(0, 2, (5, 3, 9, 8), generator=generator).double()
    gradient = torch.randn(5, 3, 4, 4, generator=generator, dtype=torch.float64)
    w = torch.randint(-9, 9, (4, 3, 3, 3), generator=generator).double()
    if not contiguous:
        rows, gradient = rows.transpose(0, 2).contiguous().transpose(0, 2), gradient.transpose(2, 3)
    ours = both_ways(rows, gradient, w)
    with without_compiler(monkeypatch, native):
        plain = both_ways(rows, gradient, w)
    assert torch.equal(ours[0], plain[0])
    torch.testing.assert_close(ours[1], plain[1], rtol=1e-12, atol=1e-12)
