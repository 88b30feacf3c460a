"""Event-driven products against dense ones: exact where sums are exact, the same bits on any number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from watched_kernels import note_calls, without_compiler

import neurorules
from neurorules.audit import fresh
from neurorules.audit.apart import apart
from neurorules.connections import _products
from neurorules.connections._products import correlated, times_transposed, times_weights
from neurorules.native import events, scans
from neurorules.native.events import native
from neurorules.native.scans import build
from neurorules.torch_path.process.threads import running_on

Precision = Literal["float32", "float64"]
DTYPES = [torch.float32, torch.float64]
SIZES = st.integers(1, 40) | st.sampled_from([63, 64, 65, 127, 128, 129, 255, 256, 257, 300, 513])
CHUNKS = st.sampled_from([1, 7, 32, 64])


@pytest.fixture(autouse=True)
def compiled() -> None:
    if build.find_compiler() is None:
        pytest.skip("this machine has no C compiler")
    assert native.library() is not None


@contextmanager
def in_chunks(rows: int) -> Iterator[None]:
    """Chunks of so many sources, and tables of three of them, so that small matrices have many of both."""
    before = native.CHUNK, native.LENGTH
    native.CHUNK, native.LENGTH = rows, 3 * rows
    try:
        yield
    finally:
        native.CHUNK, native.LENGTH = before


def spikes_of(rows: int, columns: int, rate: float, seed: int, dtype: torch.dtype) -> Tensor:
    """Spikes at a rate, of which the first row is all ones and the last one silent where there are several."""
    spikes = (torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed)) < rate).to(dtype)
    if rows > 1:
        spikes[0], spikes[-1] = 1, 0
    return spikes


def grid(rows: int, columns: int, seed: int, dtype: torch.dtype) -> Tensor:
    """Multiples of 1/256 in [-1, 1], whose sums of some thousands are exact in float32."""
    return torch.randint(-256, 257, (rows, columns), generator=torch.Generator().manual_seed(seed)).to(dtype) / 256


def listed(values: Tensor) -> events.Lists:
    lists = events.listed(values, values.numel())
    assert lists is not None
    return lists


@settings(max_examples=150, deadline=None)
@given(SIZES, SIZES, SIZES, st.floats(0, 1), st.sampled_from(DTYPES), CHUNKS, st.integers(1, 3), st.integers(0, 99))
@example(1, 1, 1, 0.0, torch.float32, 64, 1, 0)
@example(513, 300, 257, 0.1, torch.float32, 64, 2, 0)
@example(40, 513, 1, 1.0, torch.float64, 7, 2, 0)
def test_both_products_are_those_of_dense_matrices_where_sums_are_exact(
    rows: int, inputs: int, outputs: int, rate: float, dtype: torch.dtype, chunk: int, threads: int, seed: int
) -> None:
    s, w = spikes_of(rows, inputs, rate, seed, dtype), grid(outputs, inputs, seed, dtype)
    post = grid(rows, outputs, seed + 1, dtype)
    with running_on(threads), in_chunks(chunk):
        lists = listed(s)
        assert lists.entries == int(s.count_nonzero())
        assert torch.equal(events.current(lists, w), s @ w.T)
        assert torch.equal(events.correlation(post, lists), post.T @ s)
        assert torch.equal(events.totals(lists), s.sum(0))


@settings(max_examples=60, deadline=None)
@given(SIZES, SIZES, SIZES, st.sampled_from(DTYPES), CHUNKS, st.integers(0, 99))
def test_other_values_than_spikes_are_multiplied_to_rounding(
    rows: int, inputs: int, outputs: int, dtype: torch.dtype, chunk: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    s = torch.randn(rows, inputs, generator=generator, dtype=dtype) * spikes_of(rows, inputs, 0.3, seed, dtype)
    w, post = (torch.randn(n, m, generator=generator, dtype=dtype) for n, m in ((outputs, inputs), (rows, outputs)))
    exact = s.double() @ w.double().T, post.double().T @ s.double(), s.double().sum(0)
    sent = s.double().abs()
    most = sent @ w.double().abs().T, post.double().abs().T @ sent, sent.sum(0)
    with in_chunks(chunk):
        found = events.current(listed(s), w), events.correlation(post, listed(s)), events.totals(listed(s))
    for value, true, size in zip(found, exact, most, strict=True):
        assert value.dtype == dtype
        # Higham, Accuracy and Stability of Numerical Algorithms, 3.1: n u / (1 - n u) of the sum of sizes.
        assert ((value.double() - true).abs() <= 600 * torch.finfo(dtype).eps * size).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("chunk", [16, 64])
def test_a_sum_runs_in_ascending_order_to_the_bit(dtype: torch.dtype, chunk: int) -> None:
    generator = torch.Generator().manual_seed(1)
    s = spikes_of(90, 70, 0.3, 1, dtype)
    w, post = (
        torch.randn(270, 70, generator=generator, dtype=dtype),
        torch.randn(90, 270, generator=generator, dtype=dtype),
    )
    current, correlation = s.new_zeros(90, 270), s.new_zeros(270, 70)
    for i in range(70):
        current += s[:, i : i + 1] * w[:, i]
    for r in range(90):
        correlation += post[r][:, None] * s[r]
    with in_chunks(chunk):
        assert torch.equal(events.current(listed(s), w), current)
        assert torch.equal(events.correlation(post, listed(s)), correlation)


@pytest.mark.parametrize("outputs", [10, 700])
def test_any_number_of_threads_gives_the_same_bits(outputs: int) -> None:
    generator = torch.Generator().manual_seed(2)
    s, w = spikes_of(1500, 600, 0.1, 2, torch.float32), torch.randn(outputs, 600, generator=generator)
    post = torch.randn(1500, outputs, generator=generator)
    found = []
    for threads in (1, 2, 5):
        with running_on(threads):
            lists = listed(s)
            found.append((events.current(lists, w), events.correlation(post, lists)))
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize("threads", [1, 3])
def test_more_values_than_the_limit_are_not_listed(threads: int) -> None:
    s = spikes_of(700, 300, 0.2, 3, torch.float32)
    count = int(s.count_nonzero())
    with running_on(threads):
        assert events.listed(s, count - 1) is None and events.listed(torch.ones(700, 300), 100) is None
        lists = events.listed(s, count)
        assert lists is not None and torch.equal(events.current(lists, torch.eye(300)), s)
        assert events.listed(torch.zeros(700, 300), 0) is not None


def dense_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "serves", lambda tensor: False)


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the event-driven products that were made, in order."""
    return note_calls(monkeypatch, events, "current", "correlation")


@pytest.mark.parametrize("threads", [1, 3])
def test_a_sample_of_rows_says_when_counting_all_would_be_in_vain(threads: int) -> None:
    sampled = torch.arange(0, 700, 16)
    uneven = torch.zeros(700, 300)
    uneven[:, :60] = 1
    uneven[sampled, :84] = 1  # 1.4 times as many as the others
    only_there = torch.zeros(700, 300).index_fill_(0, sampled, 1)
    with running_on(threads):
        assert events.listed(uneven, int(uneven.count_nonzero())) is not None
        assert events.listed(only_there, int(only_there.count_nonzero())) is None


def test_more_spikes_are_allowed_the_larger_a_product_is_and_none_where_it_is_small() -> None:
    shares = [_products.most_events(R * n, I, O) / (R * n * I) for n in (1, 2, 10, 1000)]
    assert 0.15 < shares[0] < shares[1] < shares[2] < shares[3] < 0.35
    assert _products.most_events(32, 64, 100) <= 0 and _products.most_events(5000, 1000, 10) <= 0
    assert _products.most_events(5000, 1000, 0) <= 0 and _products.most_events(0, 1000, 100) <= 0


R, I, O = 1000, 400, 300


@pytest.mark.parametrize(
    ("rate", "outputs", "events_made"), [(0.05, O, True), (0.6, O, False), (0.05, 10, False), (0.0, O, True)]
)
def test_the_count_of_spikes_chooses_the_product(rate: float, outputs: int, events_made: bool, used: list[str]) -> None:
    s = (torch.rand(R, I, generator=torch.Generator().manual_seed(4)) < rate).float()
    w, post = grid(outputs, I, 4, torch.float32), grid(R, outputs, 5, torch.float32)
    assert torch.equal(times_weights(s, w), s @ w.T) and torch.equal(correlated(post, s), post.T @ s)
    assert used == (["current", "correlation"] if events_made else [])


def test_matrices_that_are_not_contiguous_are_read_right(used: list[str]) -> None:
    s, w, post = (
        spikes_of(I, R, 0.05, 5, torch.float32).T,
        grid(I, O, 5, torch.float32).T,
        grid(O, R, 6, torch.float32).T,
    )
    assert torch.equal(times_weights(s, w), s @ w.T) and torch.equal(correlated(post, s), post.T @ s)
    assert used == ["current", "correlation"]


def test_what_a_users_autograd_records_is_left_to_torch(used: list[str]) -> None:
    s, w = spikes_of(R, I, 0.05, 6, torch.float32), grid(O, I, 6, torch.float32).requires_grad_()
    times_weights(s, w).sum().backward()
    assert used == [] and w.grad is not None and torch.equal(w.grad, s.sum(0).expand(O, I))


def test_a_value_that_is_not_a_number_is_carried_on(used: list[str]) -> None:
    s, w = spikes_of(R, I, 0.05, 7, torch.float32), grid(O, I, 7, torch.float32)
    s[3, 5], s[4, 6] = float("nan"), float("inf")
    current = times_weights(s, w.abs() + 1)
    assert current[3].isnan().all() and current[4].isinf().all() and current[5:].isfinite().all()
    assert used == ["current"]


def test_without_a_compiler_one_warning_comes_and_products_are_dense(
    used: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    s, w, post = spikes_of(R, I, 0.05, 8, torch.float32), torch.randn(O, I), torch.randn(R, O)
    with without_compiler(monkeypatch, native):
        for _ in range(2):
            assert torch.equal(times_weights(s, w), times_transposed(s, w))
            assert torch.equal(correlated(post, s), times_transposed(post.T, s.T))
        assert not scans.compiled()
    assert used == []


def test_rounded_products_stay_with_the_units_that_make_them(used: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_products, "has_matrix_units", lambda: True)
    s, w = spikes_of(R, I, 0.05, 9, torch.float32), grid(O, I, 9, torch.float32)
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: "medium")
    times_weights(s, w)
    assert used == []


def trained(schedule: str, precision: Precision = "float64") -> dict[str, Tensor]:
    """The parameters of a net after three steps on sparse spikes, and what its signal keeps."""
    generator = torch.Generator().manual_seed(11)
    learner = neurorules.Learner(
        "200-100", "sigprop", input_shape=(300,), classes=4, precision=precision, schedule=schedule, seed=3
    )
    for _ in range(3):
        spikes = (torch.rand(20, 60, 300, generator=generator) < 0.05).to(learner.dtype)
        learner.step(spikes, torch.randint(4, (60,), generator=generator))
    return {name: value.clone() for name, value in learner.state().items() if value.is_floating_point()}


def test_a_net_learns_the_same_by_layer_with_events_and_by_step_without(used: list[str]) -> None:
    by_layer, count = trained("by_layer"), len(used)
    by_step = trained("by_step")
    assert count > 0 and len(used) == count
    assert by_layer.keys() == by_step.keys()
    for name, value in by_layer.items():
        assert (value - by_step[name]).abs().max() <= 1e-10, name


def test_the_same_data_train_a_net_to_the_same_bits(used: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    once, again = trained("by_layer", "float32"), trained("by_layer", "float32")
    assert used and all(torch.equal(value, again[name]) for name, value in once.items())
    dense_only(monkeypatch)
    for name, value in trained("by_layer", "float32").items():
        torch.testing.assert_close(value, once[name], rtol=1e-3, atol=1e-3)


def test_an_audit_multiplies_dense_matrices_alone(used: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Another sample's spikes may change the choice, and with it the rounding of a sample's own sums."""
    spikes, w = torch.zeros(4000, 300), torch.ones(200, 300)

    def made_in_an_audit() -> list[str]:
        monkeypatch.setattr(fresh, "read_question", lambda registries: {"asked": []})
        monkeypatch.setattr(fresh, "give", lambda answers: None)
        fresh.answer()
        used.clear()
        times_weights(spikes, w)
        return used

    assert apart(made_in_an_audit) == []
    times_weights(spikes, w)
    assert used == ["current"]
