"""Surrogates: psi is the derivative of the primitive, and the two that snnTorch has are its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from snntorch import surrogate as snntorch_surrogate
from torch import Tensor

from neurorules.language.errors import UserError
from neurorules.surrogates import SURROGATES, make_surrogate
from neurorules.torch_path.snntorch.populations import Spike

OPTIONS = {
    "boxcar": ["boxcar", "boxcar:width=1.5"],
    "triangle": ["triangle", "triangle:height=1:width=0.4"],
    "piecewise_linear": ["piecewise_linear", "piecewise_linear:width=0.3:leak=0.1"],
    "fast_sigmoid": ["fast_sigmoid", "fast_sigmoid:k=25"],
    "atan": ["atan", "atan:alpha=5"],
    "comparator": ["comparator", "comparator:below=0"],
    "table": ["table", "table:height=1:width=2:entries=8:bits=2"],
    "power_of_two": ["power_of_two", "power_of_two:width=0.4:octaves=2"],
}
TEXTS = [text for texts in OPTIONS.values() for text in texts]


def distances(dtype: torch.dtype = torch.float64) -> Tensor:
    """Membranes around the threshold, no corner of a surrogate among them."""
    return torch.linspace(-3.0137, 3.0219, 501, dtype=dtype)


def slope(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    leaf = x.clone().requires_grad_()
    (found,) = torch.autograd.grad(function(leaf).sum(), leaf)
    return found


def test_every_surrogate_is_tested_here() -> None:
    assert set(OPTIONS) == set(SURROGATES)


@pytest.mark.parametrize("text", TEXTS)
def test_psi_is_the_derivative_of_the_primitive(text: str) -> None:
    made, x = make_surrogate(text), distances()
    torch.testing.assert_close(made.psi(x), slope(made.primitive, x), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("text", TEXTS)
def test_psi_is_never_negative_and_highest_at_the_threshold(text: str) -> None:
    made = make_surrogate(text)
    assert bool((made.psi(distances()) >= 0).all())
    assert float(made.psi(torch.zeros(1, dtype=torch.float64))) >= float(made.psi(distances()).max())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("sharpness", [1.0, 4.0, 25.0])
def test_fast_sigmoid_is_the_backward_pass_of_snntorch(sharpness: float, dtype: torch.dtype) -> None:
    x = distances(dtype)
    theirs = slope(snntorch_surrogate.fast_sigmoid(slope=sharpness), x)
    torch.testing.assert_close(make_surrogate(f"fast_sigmoid:k={sharpness}").psi(x), theirs, rtol=1e-6, atol=0)
    if dtype == torch.float64:
        torch.testing.assert_close(make_surrogate(f"fast_sigmoid:k={sharpness}").psi(x), theirs, rtol=1e-14, atol=0)


@pytest.mark.parametrize("alpha", [0.5, 2.0, 5.0])
def test_atan_is_the_backward_pass_of_snntorch(alpha: float) -> None:
    x = distances()
    theirs = slope(snntorch_surrogate.atan(alpha=alpha), x)
    torch.testing.assert_close(make_surrogate(f"atan:alpha={alpha}").psi(x), theirs, rtol=1e-14, atol=0)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_spike_for_snntorch_steps_forwards_and_goes_back_by_psi(text: str, dtype: torch.dtype) -> None:
    made, x = make_surrogate(text), distances(dtype)
    spikes = Spike(made)(x)
    assert spikes.dtype == dtype and torch.equal(spikes, (x > 0).to(dtype))
    assert torch.equal(slope(Spike(made), x), made.psi(x))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("comparator", [0, 0, 1, 1, 1, 1, 1]),
        ("boxcar:width=0.5", [0, 0, 1, 1, 1, 0, 0]),
        ("table:height=1:bits=16", [0, 1 / 3, 1 / 3, 1, 1 / 3, 1 / 3, 0]),
        ("power_of_two", [0, 2**-4, 2**-3, 2**-1, 2**-3, 2**-4, 0]),
        ("power_of_two:octaves=3", [0, 0, 2**-3, 2**-1, 2**-3, 0, 0]),
    ],
)
def test_those_that_hardware_can_afford_have_the_values_of_their_tables(text: str, expected: list[float]) -> None:
    x = torch.tensor([-1.2, -0.9, -0.5, 0.0, 0.5, 0.9, 1.2], dtype=torch.float64)
    torch.testing.assert_close(make_surrogate(text).psi(x), torch.tensor(expected).double(), rtol=1e-4, atol=0)


@pytest.mark.parametrize(("entries", "bits"), [(3, 4), (5, 8), (16, 4), (33, 16), (2, 1)])
def test_a_table_is_near_its_triangle_symmetrical_and_has_few_values(entries: int, bits: int) -> None:
    table, triangle = (
        make_surrogate(text)
        for text in (f"table:height=2:width=0.7:entries={entries}:bits={bits}", "triangle:height=2:width=0.7")
    )
    x = distances()
    slope_of_triangle, segment, step = 2 / 0.7, 2 * 0.7 / entries, 2 / (2**bits - 1)
    assert float((table.psi(x) - triangle.psi(x)).abs().max()) <= slope_of_triangle * segment / 2 + step / 2 + 1e-12
    torch.testing.assert_close(table.psi(x), table.psi(-x), rtol=1e-12, atol=0)
    in_steps = table.psi(x) / step
    torch.testing.assert_close(in_steps, in_steps.round(), rtol=0, atol=1e-9)
    assert len(in_steps.round().unique()) <= min(2**bits, entries // 2 + 2)


def test_a_shift_in_place_of_a_product_gives_the_same_whole_numbers() -> None:
    x = torch.arange(-300, 301)  # membranes in whole numbers; the width is 64 of them
    psi = make_surrogate("power_of_two:width=64:octaves=4").psi(x.double())
    trace = 1000
    octave = x.abs() >> 6
    shifted = torch.where(octave < 4, trace >> (octave + 1), torch.zeros_like(x))
    assert torch.equal(torch.floor(psi * trace).long(), shifted)


def test_an_unknown_surrogate_or_option_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UserError, match="fast_sigmoid"):
        make_surrogate("fast_sigmoyd")
    with pytest.raises(UserError, match="alpha"):
        make_surrogate("atan:alfa=2")
