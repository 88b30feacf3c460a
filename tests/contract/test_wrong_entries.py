"""Each check of every suite is failed by an entry that is wrong in one way, and by name; a right entry passes all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from neurorules.conformance import SUITES, transform
from neurorules.conformance.suite import Breach, Entry, Suite, run_check
from neurorules.transforms.dropout import Dropout
from neurorules.transforms.flatten import Flatten
from neurorules.transforms.pool import Pool

FAULTS: dict[str, dict[str, str]] = {
    "connection": {
        "it_is_a_connection": "no_connection",
        "a_population_that_does_not_fit_is_refused_by_a_user_error": "refusal",
        "weights_and_currents_have_the_shapes_it_announces": "type",
        "fan_in_is_the_number_of_synapses_of_a_neuron": "fan_in",
        "fresh_weights_come_from_the_generator_alone": "global_seed",
        "fresh_weights_of_a_linear_connection_have_the_spread_they_announce": "spread",
        "silence_brings_no_current": "bias",
        "a_connection_that_says_it_is_linear_is_linear": "square",
        "correlate_is_the_adjoint_of_current_by_the_weights": "correlate_sign",
        "transpose_is_the_adjoint_of_current_by_the_activity": "transpose_sign",
        "carry_of_a_linear_connection_is_its_transpose": "carry",
        "no_row_sees_another": "rows",
        "nothing_that_is_handed_in_changes": "in_place",
        "synapses_at_rest_transmit_all_of_a_spike": "efficacy",
    },
    "normalisation": {
        "it_is_a_normalisation": "no_normalisation",
        "its_statistics_belong_to_one_neuron_or_one_map": "layer",
        "forward_takes_the_mean_away_and_multiplies_by_the_gain": "forward",
        "a_current_at_its_statistics_becomes_standard": "deviation",
        "a_current_that_never_varies_stays_finite": "no_epsilon",
        "rows_of_a_batch_see_each_other_only_where_reads_batch_says_so": "batch",
        "testing_uses_running_averages_alone": "testing",
        "the_adjoint_is_the_derivative_of_a_standardised_current": "adjoint_sign",
        "nothing_that_is_handed_in_changes": "in_place",
    },
    "encoder": {
        "it_is_an_encoder_and_says_which_samples_it_takes": "sounds",
        "fitting_returns_another_encoder_and_leaves_this_one": "fit_changes_it",
        "only_training_samples_are_fitted_to": "fits_to_test",
        "one_seed_gives_one_drive_and_no_global_generator_is_used": "global_seed",
        "a_drive_has_the_shape_of_the_samples_and_is_finite": "shape",
        "no_sample_sees_its_batch": "batch",
        "preparing_keeps_one_row_for_each_sample_with_and_without_a_cache": "cache",
        "it_comes_back_from_its_text_and_its_statistics": "not_plain",
        "samples_of_no_kind_are_refused_by_a_user_error": "takes_all",
        "it_drives_a_net_alike_in_every_schedule": "constant_lie",
    },
    "dataset": {
        "it_hands_over_a_data_set": "no_data_set",
        "samples_have_the_shape_and_type_it_announces": "shape",
        "every_sample_has_a_label_of_a_class": "labels",
        "no_sample_is_both_learned_from_and_tested": "leak",
        "reading_it_again_gives_the_same_samples_and_checksum": "unstable",
        "its_default_encoder_encodes_it": "encoder",
    },
    "exporter": {
        "it_is_an_exporter": "no_exporter",
        "it_writes_what_it_says_and_nothing_else": "unsaid",
        "it_leaves_the_trace_and_the_session_as_they_were": "trace",
        "a_trace_without_samples_is_exported": "empty",
        "every_spike_leaves_its_mark": "blind",
        "its_own_reader_gives_every_spike_back": "negative",
    },
    "device": {
        "it_is_a_device_and_says_what_it_is": "no_device",
        "its_state_is_a_flat_dictionary_of_tensors": "text_in_state",
        "one_seed_is_one_chip": "global_seed",
        "another_seed_is_another_chip": "one_chip",
        "hooks_leave_what_they_are_handed_as_it_was": "in_place",
        "all_that_a_chip_is_stands_in_its_state": "hidden",
        "reading_changes_nothing_and_is_finite": "noise",
        "no_change_asked_for_is_no_change_made": "drift",
        "a_chip_does_what_it_is_asked_for_within_its_means": "negated",
        "a_range_never_widens": "widens",
        "devices_of_a_chain_act_in_order_and_are_drawn_apart": "hidden",
        "learning_under_it_resumes_to_the_same_bits": "hidden",
        "its_effects_vanish_in_its_ideal_form": "offset",
        "what_it_shows_of_membranes_hangs_on_state_and_place_alone": "window",
        "its_traces_go_on_from_window_to_window": "window",
        "time_passes_in_its_state_alone": "timeless",
        "its_neurons_keep_the_contract_of_neurons": "other_neuron",
        "its_codes_are_what_it_stores": "half_codes",
        "hidden_layers_learn_digits_under_it": "frozen",
    },
    "neuron": {
        "it_is_a_neuron": "no_neuron",
        "a_step_has_the_shape_and_the_type_of_its_current": "type",
        "its_state_is_a_named_tuple_of_tensors_like_its_current": "plain_state",
        "a_step_is_pure": "in_place",
        "its_gates_are_the_finite_differences_of_its_step": "keep",
        "a_spiking_neuron_gives_zeros_and_ones_and_both": "twos",
        "no_row_of_a_batch_sees_another": "rows",
        "neurons_are_apart_unless_it_says_that_they_pool": "neurons",
        "psi_is_the_derivative_of_its_graded_output": "psi",
        "fused_scans_run_it_as_its_own_step_does": "dynamics",
        "parameters_that_learn_have_a_start_and_a_place": "learns",
        "brian2_runs_the_same_step_or_is_refused_by_name": "brian2",
    },
    "signal": {
        "it_is_a_frozen_signal_whose_words_are_of_the_contract": "words",
        "a_net_that_it_does_not_serve_is_refused_by_a_user_error": "refusal",
        "its_state_and_parameters_come_from_the_generator_alone": "global_seed",
        "m_has_the_shape_of_its_layer_and_teaches_something": "varies",
        "one_seed_gives_one_m_whatever_else_was_learned": "memory",
        "a_run_that_was_stored_goes_on_with_the_same_bits": "memory",
        "tensors_of_its_state_stay_unless_moves_names_them": "moves",
        "it_learns_in_the_precision_of_the_net": "precision",
        "it_reads_what_its_needs_buy_and_perturbation_shows_the_same": "needs",
    },
    "rule": {
        "it_is_a_rule_under_its_own_name": "name",
        "it_says_what_it_is_where_it_comes_from_and_how_it_deviates": "source",
        "its_texts_and_settings_make_a_model": "unknown_word",
        "a_silent_population_changes_none_of_its_weights": "drift",
        "changes_are_linear_in_the_third_factor": "square",
        "the_order_of_a_batch_does_not_matter": "numbers",
        "no_row_of_a_batch_sees_another_on_its_way_forward": "batch_norm",
        "changes_add_up_over_the_samples_of_a_batch": "batch",
        "no_statistic_of_the_batch_is_used_by_default": "batch_norm",
        "by_layer_equals_by_step": "memory",
        "what_it_declares_is_what_perturbation_shows": "needs",
        "m_is_available_when_its_signal_says": "needs",
        "it_learns_real_digits_better_than_its_frozen_control": "no_rate",
        "it_learns_step_by_step_in_brian2_as_in_torch": "batch_norm",
        "it_learns_in_continuous_time": "still",
    },
}  # fmt: skip
MORE = {
    "encoder": {"preparing_keeps_one_row_for_each_sample_with_and_without_a_cache": "order"},
    "device": {"reading_changes_nothing_and_is_finite": "narrow"},
    "neuron": {"a_step_is_pure": "memory", "brian2_runs_the_same_step_or_is_refused_by_name": "anonymous"},
    "signal": {
        "it_is_a_frozen_signal_whose_words_are_of_the_contract": "thawed",
        "m_has_the_shape_of_its_layer_and_teaches_something": "silent",
    },
}  # fmt: skip
"""Second faults of checks that demand two things."""
SLOW = {
    "it_reads_what_its_needs_buy_and_perturbation_shows_the_same", "what_it_declares_is_what_perturbation_shows",
    "m_is_available_when_its_signal_says", "hidden_layers_learn_digits_under_it",
    "it_learns_real_digits_better_than_its_frozen_control",
}  # fmt: skip
CASES = [
    pytest.param(kind, check, fault, marks=[pytest.mark.slow] if check in SLOW else [], id=f"{kind}-{check}-{fault}")
    for table in (FAULTS, MORE)
    for kind, faults in table.items()
    for check, fault in faults.items()
]
RIGHT = [(kind, check) for kind in FAULTS for check in FAULTS[kind] if check not in SLOW]


@pytest.fixture(autouse=True)
def _listed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The wrong entries are listed while a test runs."""
    for kind, suite in SUITES.items():
        monkeypatch.setitem(suite.registry.modules, f"wrong_{kind}", f"wrong_entries.wrong_{kind}")
    yield


def entry_of(kind: str, fault: str) -> tuple[Suite, Entry]:
    suite = SUITES[kind]
    return suite, Entry(suite.registry, f"wrong_{kind}:fault={fault}")


def test_every_check_of_every_suite_has_an_entry_that_fails_it() -> None:
    assert {kind: {check.__name__ for check in suite.checks} for kind, suite in SUITES.items()} == {
        kind: set(faults) for kind, faults in FAULTS.items()
    }


@pytest.mark.parametrize(("kind", "name", "fault"), CASES)
def test_a_wrong_entry_fails_the_check_of_its_fault_in_one_line(kind: str, name: str, fault: str) -> None:
    suite, entry = entry_of(kind, fault)
    outcome = run_check(next(check for check in suite.checks if check.__name__ == name), entry)
    assert outcome.status == "failed", outcome
    assert "\n" not in outcome.reason and ". " in outcome.reason


@pytest.mark.parametrize(("kind", "name"), RIGHT)
def test_the_same_entry_without_its_fault_passes(kind: str, name: str) -> None:
    suite, entry = entry_of(kind, "none")
    outcome = run_check(next(check for check in suite.checks if check.__name__ == name), entry)
    assert outcome.status in ("passed", "left out"), outcome


class WrongShape(Flatten):
    def post_shape(self, pre: tuple[int, ...]) -> tuple[int, ...]:
        return (*super().post_shape(pre), 1)


class WrongAdjoint(Pool):
    def adjoint(self, rows: Tensor, mask: Tensor | None, gradient: Tensor) -> Tensor:
        return -super().adjoint(rows, mask, gradient)


class WrongMask(Dropout):
    def forward(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        return rows if mask is None else rows * torch.arange(len(rows)).reshape(-1, 1)


class NotLinear(Dropout):
    linear = True

    def forward(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        return super().forward(rows, mask).relu()


TRANSFORMS = {
    "rows_have_the_shape_it_announces": (WrongShape(), (3, 4, 5)),
    "the_adjoint_is_the_derivative_of_forward": (WrongAdjoint(2, "average"), (3, 4, 6)),
    "a_mask_is_the_same_at_every_step_and_comes_from_the_generator": (WrongMask(0.5), (9,)),
    "a_linear_transform_is_linear": (NotLinear(0.5), (9,)),
}


@pytest.mark.parametrize("check", transform.CHECKS)
def test_a_wrong_transform_fails_the_check_of_its_fault(check: transform.TransformCheck) -> None:
    wrong, shape = TRANSFORMS[check.__name__]
    with pytest.raises(Breach):
        check(wrong, shape)
