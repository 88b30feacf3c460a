"""Event-driven convolutions against dense ones: exact where sums are exact, the same bits on any number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional, grad
from watched_kernels import note_calls, without_compiler

from neurorules.audit import fresh
from neurorules.audit.apart import apart
from neurorules.connections import _map_products, _products
from neurorules.connections.conv2d import Conv2d
from neurorules.connections.conv2d_grouped import Conv2dGrouped
from neurorules.connections.conv2d_pooled import Conv2dPooled
from neurorules.native import compile as compile_c
from neurorules.native.events import maps
from neurorules.native.events.reach import Convolved, reach_of
from neurorules.native.scans import build
from neurorules.torch_path.process.threads import running_on

DTYPES = [torch.float32, torch.float64]
SMALL, SIDE = st.integers(1, 3), st.integers(1, 17)
FEW = st.integers(1, 5) | st.sampled_from([16, 17, 33, 40])


@pytest.fixture(autouse=True)
def compiled() -> None:
    if build.find_compiler() is None:
        pytest.skip("this machine has no C compiler")
    assert maps.library() is not None


@st.composite
def convolutions(draw: Callable[..., Any]) -> Convolved:
    """Convolutions of any sizes whose kernels fit the maps with their border."""
    groups, pairs = (
        draw(SMALL),
        [draw(st.tuples(one, one)) for one in (SIDE, st.integers(1, 7), SMALL, st.integers(0, 4), SMALL)],
    )
    sides, kernel, strides, borders, dilations = pairs
    spans = [
        side + 2 * border - distance * (one - 1) - 1
        for side, border, distance, one in zip(sides, borders, dilations, kernel, strict=True)
    ]
    assume(min(spans) >= 0)
    out = tuple(span // stride + 1 for span, stride in zip(spans, strides, strict=True))
    channels, outputs = groups * draw(FEW), groups * draw(FEW)
    assume(outputs * channels * out[0] * out[1] * kernel[0] * kernel[1] < 1 << 22)
    return Convolved(channels, sides, outputs, (out[0], out[1]), groups, kernel, strides, borders, dilations)


def spikes_of(rows: int, sizes: Convolved, rate: float, seed: int, dtype: torch.dtype) -> Tensor:
    """Spikes at a rate, of which the first row is all ones and the last one silent where there are several."""
    generator = torch.Generator().manual_seed(seed)
    spikes = (torch.rand(rows, sizes.channels, *sizes.sides, generator=generator) < rate).to(dtype)
    if rows > 1:
        spikes[0], spikes[-1] = 1, 0
    return spikes


def kernels_and_post(rows: int, sizes: Convolved) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shapes of kernels and of post factors."""
    return (sizes.outputs, sizes.channels // sizes.groups, *sizes.kernel), (rows, sizes.outputs, *sizes.out_sides)


def grid(shape: tuple[int, ...], seed: int, dtype: torch.dtype) -> Tensor:
    """Multiples of 1/256 in [-1, 1], whose sums of some thousands are exact in float32."""
    return torch.randint(-256, 257, shape, generator=torch.Generator().manual_seed(seed)).to(dtype) / 256


def dense(s: Tensor, w: Tensor, post: Tensor, sizes: Convolved) -> tuple[Tensor, Tensor]:
    """Both products by torch."""
    how = sizes.strides, sizes.borders, sizes.dilations, sizes.groups
    return functional.conv2d(s, w, None, *how), grad.conv2d_weight(s, list(w.shape), post, *how)


def by_events(s: Tensor, w: Tensor, post: Tensor, sizes: Convolved) -> tuple[Tensor, Tensor]:
    """Both products by events, with as many threads as torch has, however few there are."""
    many = 1e9
    return maps.current(s, w, sizes, many), maps.change(post, s, sizes, many)


PLAIN = Convolved(16, (14, 14), 32, (14, 14), 1, (3, 3), (1, 1), (1, 1), (1, 1))
STRIDED = Convolved(4, (9, 8), 6, (4, 3), 2, (4, 3), (2, 3), (1, 1), (1, 1))
WIDE = Convolved(2, (17, 5), 40, (10, 1), 1, (7, 1), (1, 4), (0, 0), (1, 1))


@settings(max_examples=150, deadline=None)
@given(
    convolutions(), st.integers(1, 40), st.floats(0, 1), st.sampled_from(DTYPES), st.integers(1, 3), st.integers(0, 99)
)
@example(PLAIN, 40, 0.25, torch.float32, 2, 0)
@example(PLAIN._replace(channels=72), 3, 0.1, torch.float32, 1, 0)
@example(PLAIN._replace(sides=(3, 40), out_sides=(3, 40)), 2, 0.3, torch.float32, 1, 0)
@example(STRIDED, 5, 1.0, torch.float64, 3, 0)
@example(WIDE._replace(out_sides=(11, 2)), 33, 0.0, torch.float32, 1, 0)
def test_both_products_are_those_of_dense_convolutions_where_sums_are_exact(
    sizes: Convolved, rows: int, rate: float, dtype: torch.dtype, threads: int, seed: int
) -> None:
    s = spikes_of(rows, sizes, rate, seed, dtype)
    w, post = (grid(shape, seed + n, dtype) for n, shape in enumerate(kernels_and_post(rows, sizes)))
    with running_on(threads):
        for value, true in zip(by_events(s, w, post, sizes), dense(s, w, post, sizes), strict=True):
            assert torch.equal(value, true)


@settings(max_examples=60, deadline=None)
@given(convolutions(), st.integers(1, 20), st.sampled_from(DTYPES), st.integers(0, 99))
def test_other_values_than_spikes_are_multiplied_to_rounding(
    sizes: Convolved, rows: int, dtype: torch.dtype, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    s = spikes_of(rows, sizes, 0.3, seed, dtype)
    s = torch.randn(s.shape, generator=generator, dtype=dtype) * s
    w, post = (torch.randn(shape, generator=generator, dtype=dtype) for shape in kernels_and_post(rows, sizes))
    exact, most = (dense(*(f(t.double()) for t in (s, w, post)), sizes) for f in (torch.clone, torch.abs))
    terms = max(sizes.channels * sizes.kernel[0] * sizes.kernel[1], rows * sizes.out_sides[0] * sizes.out_sides[1])
    for value, true, size in zip(by_events(s, w, post, sizes), exact, most, strict=True):
        assert value.dtype == dtype
        # Higham, Accuracy and Stability of Numerical Algorithms, 3.1: n u / (1 - n u) of the sum of sizes.
        assert ((value.double() - true).abs() <= 2 * terms * torch.finfo(dtype).eps * size).all()


@pytest.mark.parametrize("sizes", [PLAIN, STRIDED, PLAIN._replace(channels=70, outputs=70)], ids=str)
def test_any_number_of_threads_gives_the_same_bits(sizes: Convolved) -> None:
    generator, rows = torch.Generator().manual_seed(2), 203
    s = spikes_of(rows, sizes, 0.2, 2, torch.float32)
    w, post = (torch.randn(shape, generator=generator) for shape in kernels_and_post(rows, sizes))
    results = []
    for threads in (1, 2, 5):
        with running_on(threads):
            results.append(by_events(s, w, post, sizes))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("sums", [12, 25])
@settings(max_examples=60, deadline=None)
@given(sizes=convolutions(), parts=st.integers(1, 2))
def test_every_weight_has_one_vector_in_each_part_of_a_place(sums: int, sizes: Convolved, parts: int) -> None:
    reach = reach_of(sizes, parts, sums)
    slots = sorted(map(tuple, reach.slots[:2].T.tolist()))
    assert slots == [(tap, part) for tap in range(sizes.kernel[0] * sizes.kernel[1]) for part in range(parts)]
    for length, runs, *_ in reach.blocks.tolist():
        assert 1 <= length * runs <= sums


@contextmanager
def built_with(*flags: str) -> Iterator[None]:
    """Inside the block, kernels are compiled with further flags, as on another processor."""
    before = maps.FLAGS
    maps.FLAGS = (*before, *flags)
    for cached in (maps.library, maps.plan_of):
        cached.cache_clear()
    try:
        yield
    finally:
        maps.FLAGS = before
        for cached in (maps.library, maps.plan_of):
            cached.cache_clear()


@pytest.mark.parametrize("flag", ["-mno-avx512f", "-mno-avx"])
def test_narrower_vectors_give_the_same(flag: str) -> None:
    if "x86" not in compile_c.processor():
        pytest.skip("the flags are those of x86 processors")
    lanes = maps.lanes(torch.float32)
    with built_with(flag):
        assert maps.lanes(torch.float32) <= lanes
        for sizes in (PLAIN, STRIDED, PLAIN._replace(kernel=(5, 5), borders=(2, 2), outputs=19)):
            for dtype in DTYPES:
                s = spikes_of(9, sizes, 0.3, 5, dtype)
                w, post = (grid(shape, n, dtype) for n, shape in enumerate(kernels_and_post(9, sizes)))
                for value, true in zip(by_events(s, w, post, sizes), dense(s, w, post, sizes), strict=True):
                    assert torch.equal(value, true)


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the event-driven products that were made, in order."""
    return note_calls(monkeypatch, maps, "current", "change")


ROWS, IN = 128, (16, 14, 14)


def maps_of(rate: float, seed: int = 4, dtype: torch.dtype = torch.float32) -> Tensor:
    return (torch.rand(ROWS, *IN, generator=torch.Generator().manual_seed(seed)) < rate).to(dtype)


@pytest.mark.parametrize(
    ("rate", "outputs", "rows", "made"),
    [(0.1, 32, ROWS, True), (0.9, 32, ROWS, False), (0.1, 1, ROWS, False), (0.0, 32, ROWS, True), (0.1, 32, 1, False)],
)
def test_the_count_of_spikes_chooses_the_product(
    rate: float, outputs: int, rows: int, made: bool, used: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    s, connection = maps_of(rate)[:rows], Conv2d(outputs)
    w, post = grid((outputs, 16, 3, 3), 4, torch.float32), grid((rows, outputs, 14, 14), 5, torch.float32)
    ours = connection.current(w, s), connection.correlate(w, post, s)
    assert used == (["current", "change"] if made else [])
    monkeypatch.setattr(maps, "serves", lambda values: False)
    assert torch.equal(ours[0], connection.current(w, s)) and torch.equal(ours[1], connection.correlate(w, post, s))


def test_more_spikes_are_allowed_the_more_outputs_there_are_and_none_where_a_product_is_small() -> None:
    def share(sizes: Convolved, costs: _map_products.Costs, rows: int = ROWS) -> float:
        values = rows * sizes.channels * sizes.sides[0] * sizes.sides[1]
        return _map_products.most_events(rows, sizes, costs) / values

    for costs in (_map_products.CURRENT, _map_products.CHANGE):
        shares = [share(PLAIN._replace(outputs=outputs), costs) for outputs in (16, 32, 64)]
        assert 0.1 < shares[0] <= shares[1] <= shares[2] < 0.8
        assert share(PLAIN, costs, rows=1) < 0
        assert share(PLAIN._replace(outputs=16, groups=16), costs) < 0


@pytest.mark.parametrize(
    "connection",
    [Conv2dPooled(32, pool=2), Conv2dPooled(32, pool=2, kind="average"), Conv2d(48, 5, 2), Conv2d(32, 3, 1, "valid"),
     Conv2dGrouped(64, (3, 1), (1, 1), (1, 0), groups=2), Conv2dGrouped(32, (3, 3), dilations=(2, 2))],
    ids=str,
)  # fmt: skip
def test_every_convolution_brings_the_same_by_events(
    connection: Any, used: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    s = maps_of(0.05, dtype=torch.float64)
    w = grid(connection.weight_shape(IN), 1, torch.float64)
    post = grid((ROWS, *connection.post_shape(IN)), 2, torch.float64)
    ours = connection.current(w, s), connection.correlate(w, post, s)
    assert {"current", "change"} <= set(used)
    monkeypatch.setattr(maps, "serves", lambda values: False)
    assert torch.equal(ours[0], connection.current(w, s)) and torch.equal(ours[1], connection.correlate(w, post, s))


def test_maps_that_are_not_contiguous_are_read_right(used: list[str]) -> None:
    s = maps_of(0.1).transpose(2, 3)
    w, post = grid((32, 3, 3, 16), 4, torch.float32).permute(0, 3, 1, 2), grid((14, ROWS, 32, 14), 5, torch.float32)
    post = post.permute(1, 2, 0, 3)
    connection = Conv2d(32)
    assert torch.equal(connection.current(w, s), connection.current(w.contiguous(), s.contiguous()))
    assert torch.equal(connection.correlate(w, post, s), connection.correlate(w, post.contiguous(), s.contiguous()))
    assert torch.equal(connection.current(w, s), functional.conv2d(s, w, padding=1))
    assert set(used) == {"current", "change"}


def test_what_a_users_autograd_records_is_left_to_torch(used: list[str]) -> None:
    s, w = maps_of(0.05), grid((32, 16, 3, 3), 6, torch.float32).requires_grad_()
    Conv2d(32).current(w, s).sum().backward()
    assert used == [] and w.grad is not None and w.grad.abs().sum() > 0


def test_a_value_that_is_not_a_number_is_carried_on_and_no_further(used: list[str]) -> None:
    s, w = maps_of(0.05), grid((32, 16, 3, 3), 7, torch.float32).abs() + 1
    s[3, 5, 6, 6], s[4, 6, 0, 0] = float("nan"), float("inf")
    current = Conv2d(32).current(w, s)
    assert current[3, :, 5:8, 5:8].isnan().all() and current[4, :, :2, :2].isinf().all()
    assert used == ["current"] and int((~current.isfinite()).sum()) == 32 * (9 + 4)


def test_without_a_compiler_one_warning_comes_and_convolutions_are_dense(
    used: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    s, w = maps_of(0.05), torch.randn(32, 16, 3, 3)
    with without_compiler(monkeypatch, maps):
        for _ in range(2):
            assert torch.equal(Conv2d(32).current(w, s), functional.conv2d(s, w, padding=1))
    assert used == []


def test_rounded_convolutions_stay_with_the_units_that_make_them(
    used: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_products, "has_matrix_units", lambda: True)
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: "medium")
    Conv2d(32).current(torch.randn(32, 16, 3, 3), maps_of(0.05))
    assert used == []


def test_an_audit_convolves_dense_maps_alone(used: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Another sample's spikes may change the choice, and with it the rounding of a sample's own sums."""
    s, w = maps_of(0.05), torch.ones(32, 16, 3, 3)

    def made_in_an_audit() -> list[str]:
        monkeypatch.setattr(fresh, "read_question", lambda registries: {"asked": []})
        monkeypatch.setattr(fresh, "give", lambda answers: None)
        fresh.answer()
        used.clear()
        Conv2d(32).current(w, s)
        return used

    assert apart(made_in_an_audit) == []
    Conv2d(32).current(w, s)
    assert used == ["current"]
