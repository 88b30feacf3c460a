"""While the tests run, a call with another shape or type than is declared is refused."""

from __future__ import annotations

from pathlib import Path

import checked_types
import pytest
import torch
from jaxtyping import TypeCheckError

from hardware_models.pcm import drift_exponents
from neurorules.connections._products import times_transposed


def test_a_wrong_shape_is_refused() -> None:
    with pytest.raises(TypeCheckError):
        times_transposed(torch.ones(2, 3), torch.ones(2, 3, 4))


def test_a_wrong_type_is_refused() -> None:
    with pytest.raises(TypeCheckError):
        drift_exponents("no tensor")  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:The use of `x.T`:UserWarning")  # of torch, which says so once in a process
def test_a_function_that_a_test_has_called_a_few_times_goes_on_without_checks() -> None:
    for _ in range(checked_types.CALLS):
        times_transposed(torch.ones(1, 2), torch.ones(3, 2))
    times_transposed(torch.ones(2, 3), torch.ones(2, 3, 4))  # The product itself is one that torch can make.
    test_a_wrong_type_is_refused()  # other functions have their own calls


def test_the_next_test_checks_its_own() -> None:
    test_a_wrong_shape_is_refused()


def test_what_is_left_unchecked_declares_no_shapes(repository: Path) -> None:
    for part in ("language", "native"):
        for path in (repository / "neurorules" / part).rglob("*.py"):
            assert "jaxtyping" not in path.read_text(encoding="utf-8"), path
