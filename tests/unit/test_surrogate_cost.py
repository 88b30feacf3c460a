"""What surrogates cost: the circuits that are known, and sums of their operations."""

from __future__ import annotations

import pytest

from hardware_models.surrogate_cost import RAW_VOLTAGE, VOLTAGE, cost_of
from neurorules.language.errors import UserError
from neurorules.surrogates import make_surrogate


def test_the_table_is_that_of_reckon() -> None:
    cost = cost_of(make_surrogate("table"))
    assert (cost.comparisons, cost.bits, cost.shared_bits) == (4, 5, 4 * 16 + 5 * 5)
    assert cost.pJ == pytest.approx(4 * 0.06 + 0.2 * 8 * 5 / 64)


@pytest.mark.parametrize(
    ("text", "pJ"),
    [("comparator", 0.06 + 0.03), ("boxcar", 0.12 + 0.03), ("power_of_two", 0.12 + 0.03),
     ("triangle", 0.18 + 0.4), ("fast_sigmoid", 0.06 + 1.25 + 0.2)],
)  # fmt: skip
def test_an_energy_is_the_sum_of_16_bit_operations_and_of_the_product(text: str, pJ: float) -> None:
    assert cost_of(make_surrogate(text)).pJ == pytest.approx(pJ)


def test_forms_of_the_voltage_take_least_and_one_bit_needs_no_product() -> None:
    names = ("comparator", "boxcar", "power_of_two", "table", "triangle", "atan")
    energies = [RAW_VOLTAGE.pJ, VOLTAGE.pJ, *(cost_of(make_surrogate(name)).pJ for name in names)]
    assert energies == sorted(energies) and energies[0] == 0
    assert all((cost.bits == 1) == (cost.applied == "gate") for cost in map(cost_of, map(make_surrogate, names)))


def test_the_octaves_and_no_octave_have_a_code_each() -> None:
    bits = {n: cost_of(make_surrogate(f"power_of_two:octaves={n}")).bits for n in (1, 3, 4, 7)}
    assert bits == {1: 1, 3: 2, 4: 3, 7: 3}


def test_a_surrogate_without_a_known_circuit_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match="PiecewiseLinear") as refused:
        cost_of(make_surrogate("piecewise_linear"))
    assert "\n" not in str(refused.value)
