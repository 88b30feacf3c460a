"""Connections and transforms: updates and ways back are autograd's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from neurorules.brian2_steps.wiring import wiring_of
from neurorules.connections import _products, _rounded
from neurorules.connections.conv2d import Conv2d
from neurorules.connections.conv2d_grouped import Conv2dGrouped
from neurorules.connections.dense import Dense
from neurorules.connections.recurrent import Recurrent
from neurorules.connections.recurrent_conv2d import RecurrentConv2d
from neurorules.connections.recurrent_single import RecurrentSingle
from neurorules.contracts.connection import Connection
from neurorules.contracts.transform import Transform
from neurorules.language.errors import UserError
from neurorules.network.layer import Input, Layer
from neurorules.neurons.rate import Rate
from neurorules.signals._features import feature_count, from_features, to_features
from neurorules.torch_path.process.session import matrix_precision
from neurorules.transforms.dropout import Dropout
from neurorules.transforms.flatten import Flatten
from neurorules.transforms.one_row import OneRow
from neurorules.transforms.pool import Pool

ROWS = 6
CONVOLUTIONS = [
    Conv2d(4, 3),
    Conv2d(4, 5, 1, "valid"),
    Conv2d(4, 3, 2),
    Conv2d(4, 3, 2, "valid"),
    Conv2d(4, 4, 3, "valid"),
    Conv2d(4, 1),
]
CONNECTIONS: list[tuple[Connection, tuple[int, ...]]] = [
    (Dense(5), (7,)),
    (Recurrent(5), (5,)),
    (RecurrentSingle(5), (5,)),
    (RecurrentSingle(3), (3, 4, 5)),
    (RecurrentConv2d(3, (3, 5)), (3, 6, 7)),
    (Conv2dGrouped(6, (1, 4), (1, 2), (0, 3), (1, 2), groups=3), (3, 1, 11)),
    (Conv2dGrouped(3, (3, 2), (2, 1), (0, 1), groups=3, pools=(1, 2), kind="average"), (3, 9, 8)),
    *((convolution, (3, 9, 8)) for convolution in CONVOLUTIONS),
]
TRANSFORMS: list[tuple[Transform, tuple[int, ...]]] = [
    (Pool(2, "max"), (3, 8, 6)),
    (Pool(2, "max"), (3, 9, 7)),
    (Pool(3, "average"), (3, 9, 6)),
    (Pool(2, "average"), (3, 9, 7)),
    (Pool(3, "max", lines=True), (3, 1, 10)),
    (Pool(2, "average", lines=True), (3, 2, 7)),
    (Flatten(), (3, 4, 5)),
    (OneRow(), (3, 5)),
    (OneRow(), (1, 3, 5)),
    (Dropout(0.4), (9,)),
    (Dropout(0.4), (2, 3, 4)),
]


def draw(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def pulled_back(function: Callable[[Tensor], Tensor], at: Tensor, gradient: Tensor) -> Tensor:
    """The vector-Jacobian product of autograd."""
    leaf = at.clone().requires_grad_()
    (found,) = torch.autograd.grad(function(leaf), leaf, gradient)
    return found


@pytest.mark.parametrize(("connection", "pre"), CONNECTIONS, ids=str)
def test_correlate_is_the_gradient_of_the_weights(
    connection: Connection, pre: tuple[int, ...], generator: torch.Generator
) -> None:
    rows, w = draw(generator, ROWS, *pre), connection.initial(pre, generator, 1.0).double()
    post = draw(generator, ROWS, *connection.post_shape(pre))
    expected = pulled_back(lambda weights: connection.current(weights, rows), w, post)
    torch.testing.assert_close(connection.correlate(w, post, rows), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("connection", "pre"), CONNECTIONS, ids=str)
def test_transpose_is_the_gradient_of_the_input(
    connection: Connection, pre: tuple[int, ...], generator: torch.Generator
) -> None:
    rows, w = draw(generator, ROWS, *pre), connection.initial(pre, generator, 1.0).double()
    post = draw(generator, ROWS, *connection.post_shape(pre))
    expected = pulled_back(lambda arrived: connection.current(w, arrived), rows, post)
    torch.testing.assert_close(connection.transpose(w, post, pre), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("connection", "pre"), CONNECTIONS, ids=str)
def test_the_shape_it_announces_is_the_shape_of_its_current(
    connection: Connection, pre: tuple[int, ...], generator: torch.Generator
) -> None:
    w = connection.initial(pre, generator, 1.0)
    assert connection.current(w, torch.zeros(ROWS, *pre)).shape == (ROWS, *connection.post_shape(pre))


@pytest.mark.parametrize(
    ("connection", "pre"),
    [one for one in CONNECTIONS if getattr(one[0], "pools", (1, 1)) == (1, 1)],
    ids=str,
)
def test_the_synapses_that_brian2_is_told_bring_the_same_current(
    connection: Connection, pre: tuple[int, ...], generator: torch.Generator
) -> None:
    w, rows = connection.initial(pre, generator, 1.0).double(), draw(generator, ROWS, *pre)
    current = connection.current(w, rows).flatten(1)
    entry = Input("ff", 0, (), connection, pre, pre)
    wiring = wiring_of(Layer("hidden1", (entry,), connection.post_shape(pre), Rate("relu"), None, "hidden"), entry)
    brought = wiring.product(w.numpy().reshape(-1)[wiring.element], rows.flatten(1).numpy(), current.shape[1])
    torch.testing.assert_close(torch.from_numpy(brought), current, rtol=1e-12, atol=1e-12)


def test_fresh_weights_have_the_spread_they_announce(generator: torch.Generator) -> None:
    for connection, pre in ((Dense(400), (300,)), (Conv2d(64, 5), (16, 9, 9))):
        spread = float(connection.initial(pre, generator, 0.7).std()) * connection.fan_in(pre) ** 0.5
        assert abs(spread - 0.7) < 0.01


def test_a_connection_that_does_not_fit_says_so() -> None:
    for connection, pre in (
        (Dense(4), (1, 2, 3)),
        (Conv2d(4), (7,)),
        (Conv2d(4, 4), (1, 9, 9)),
        (Conv2d(4, 9, 1, "valid"), (1, 5, 5)),
    ):
        with pytest.raises(UserError):
            connection.post_shape(pre)


@pytest.mark.parametrize(("transform", "pre"), TRANSFORMS, ids=str)
def test_the_adjoint_of_a_transform_is_autograds(
    transform: Transform, pre: tuple[int, ...], generator: torch.Generator
) -> None:
    mask = transform.draw(ROWS // 2, pre, generator)
    rows, gradient = draw(generator, ROWS, *pre), draw(generator, ROWS, *transform.post_shape(pre))
    expected = pulled_back(lambda arrived: transform.forward(arrived, mask), rows, gradient)
    torch.testing.assert_close(transform.adjoint(rows, mask, gradient), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_ties_between_spikes_go_back_to_the_one_that_torchs_pooling_chooses(
    size: int, generator: torch.Generator
) -> None:
    rows = (draw(generator, ROWS, 2, 13, 9) > 0).double()
    pooled = functional.max_pool2d(rows, size)
    gradient = draw(generator, *pooled.shape)
    expected = pulled_back(lambda arrived: functional.max_pool2d(arrived, size), rows, gradient)
    assert torch.equal(Pool(size, "max").forward(rows, None), pooled)
    assert torch.equal(Pool(size, "max").adjoint(rows, None, gradient), expected)


def test_a_dropout_mask_is_the_same_at_each_step_and_keeps_the_mean(generator: torch.Generator) -> None:
    mask = Dropout(0.3).draw(500, (40,), generator)
    assert abs(float(mask.mean()) - 1) < 0.02 and set(mask.unique().tolist()) == {0.0, float(mask.max())}
    over_time = Dropout(0.3).forward(torch.ones(3 * 500, 40), mask).reshape(3, 500, 40)
    assert torch.equal(over_time[0], over_time[1]) and torch.equal(over_time[0], over_time[2])
    assert Dropout(0.3).forward(rows := torch.ones(2, 40), None) is rows


@pytest.mark.parametrize("shape", [(7,), (3, 2, 3), (3, 4, 4), (2, 7, 9), (2, 14, 13)])
def test_the_way_back_from_features_is_the_adjoint_of_the_way_there(
    shape: tuple[int, ...], generator: torch.Generator
) -> None:
    activity, gradient = draw(generator, ROWS, *shape), draw(generator, ROWS, feature_count(shape))
    assert to_features(activity).shape == gradient.shape
    expected = pulled_back(to_features, activity, gradient)
    torch.testing.assert_close(from_features(gradient, shape), expected, rtol=1e-12, atol=1e-12)


def test_fast_convolutions_round_and_no_others_do(monkeypatch: pytest.MonkeyPatch, generator: torch.Generator) -> None:
    # bfloat16 products run on every processor; the matrix units decide only whether they are worth it.
    monkeypatch.setattr(_rounded, "has_matrix_units", lambda: True)
    connection, maps = Conv2d(4, 3), _rounded.MAPS_THAT_REPAY
    w = connection.initial((maps, 9, 8), generator, 1.0)
    spikes = (draw(generator, ROWS, maps, 9, 8) > 0).float()
    post = draw(generator, ROWS, 4, 9, 8).float()

    def products() -> tuple[Tensor, ...]:
        back = Conv2d(maps, 3).transpose(w.transpose(0, 1).contiguous(), spikes, (4, 9, 8))
        return connection.current(w, spikes), connection.correlate(w, post, spikes), back

    exact = products()
    with matrix_precision(True):
        fast = products()
        few = connection.current(w[:, :1], spikes[:, :1])
    assert torch.equal(few, connection.current(w[:, :1], spikes[:, :1]))
    for a, b in zip(exact, fast, strict=True):
        assert b.dtype == torch.float32
        assert 0 < float((a - b).norm() / a.norm()) < 2**-7
    assert all(torch.equal(a, b) for a, b in zip(exact, products(), strict=True))


@pytest.mark.parametrize("error", [AttributeError("no such operator"), RuntimeError("other arguments"), None])
def test_a_torch_without_the_faster_operator_multiplies_plainly(
    error: Exception | None, generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def operator(a: Tensor, b: Tensor) -> Tensor:
        if error is not None:
            raise error
        return torch.zeros(len(a), len(b))  # an operator of that name that computes something else

    monkeypatch.setattr(_products, "_is_amd", lambda: True)
    monkeypatch.setattr(_products, "_onednn_product", operator)
    _products._onednn_is_faster.cache_clear()
    a, b = torch.randn(5, 7, generator=generator), torch.randn(3, 7, generator=generator)
    try:
        assert not _products._onednn_is_faster()
        assert torch.equal(_products.times_transposed(a, b), a @ b.T)
    finally:
        _products._onednn_is_faster.cache_clear()
