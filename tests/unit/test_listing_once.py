"""A step lists the spikes of a matrix once for all products that read it, and holds nothing longer."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import neurorules
from neurorules.connections import _products
from neurorules.connections._products import correlated, listing_once, times_weights
from neurorules.native import events
from neurorules.native.scans import build
from neurorules.torch_path.training import one_step


@pytest.fixture(autouse=True)
def compiled() -> None:
    if build.library() is None:
        pytest.skip("this machine has no C compiler")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The address of each matrix that was looked at, in order; matrices of any size are held."""
    found: list[int] = []
    listed = events.listed

    def looked_at(values: Tensor, limit: int) -> events.Lists | None:
        found.append(values.data_ptr())
        return listed(values, limit)

    monkeypatch.setattr(events, "listed", looked_at)
    monkeypatch.setattr(_products, "SMALL", 1)
    return found


def spikes(rate: float) -> Tensor:
    return (torch.rand(1000, 400, generator=torch.Generator().manual_seed(1)) < rate).float()


@pytest.mark.parametrize("rate", [0.05, 0.9])
def test_products_of_one_matrix_share_its_lists_and_those_of_two_do_not(rate: float, looks: list[int]) -> None:
    s, w, post = spikes(rate), torch.randn(300, 400), torch.randn(1000, 300)
    apart = times_weights(s, w), correlated(post, s), times_weights(s.flip(0), w)
    looks.clear()
    with listing_once():
        together = (
            times_weights(s, w),
            correlated(post, s.view(10, 100, 400).flatten(0, 1)),
            times_weights(s.flip(0), w),
        )
        for _ in range(3):  # none of these can have the address of another, since all are held
            mirrored = s.flip(1)
            assert torch.equal(times_weights(mirrored, w), times_weights(mirrored.clone(), w))
            s = mirrored
    assert len(looks) == 2 + 3 * 2 and all(torch.equal(a, b) for a, b in zip(apart, together, strict=True))
    s.zero_()
    assert torch.equal(times_weights(s, w), torch.zeros(1000, 300))


def learned(schedule: str) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(11)
    learner = neurorules.Learner("200", "dfa", input_shape=(300,), classes=4, schedule=schedule, seed=3)
    for _ in range(2):
        drive = (torch.rand(20, 60, 300, generator=generator) < 0.05).to(learner.dtype)
        learner.step(drive, torch.randint(4, (60,), generator=generator))
    return learner.state()


def test_a_step_lists_its_input_once_and_learns_the_same_bits(
    looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    once, count = learned("by_layer"), len(looks)
    assert _products._listed.get() is None
    monkeypatch.setattr(_products, "SMALL", 1 << 62)
    looks.clear()
    again = learned("by_layer")
    assert (count, len(looks)) == (2, 4)
    assert all(torch.equal(value, again[name]) for name, value in once.items())


def test_a_step_in_windows_holds_none_of_them(looks: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    def never() -> None:
        raise AssertionError("held")

    monkeypatch.setattr(one_step, "listing_once", never)
    learned("10")
