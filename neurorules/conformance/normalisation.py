"""The checks of normalisations: the forward pass, and the adjoint as the derivative of a standardised current."""

from __future__ import annotations

import torch
from torch import Tensor

from neurorules.conformance.comparison import copied, demand_close, equal, normal, seeded
from neurorules.conformance.suite import Entry, Suite, demand, demand_instance
from neurorules.contracts.normalisation import (
    EPSILON,
    CurrentStatistics,
    Normalisation,
    UpdateStatistics,
    first_current_statistics,
    first_update_statistics,
    over_rows,
    statistics_shape,
)
from neurorules.contracts.running_mean import start_at
from neurorules.normalisations import NORMALISATIONS

POPULATIONS: tuple[tuple[int, ...], ...] = ((5,), (3, 4, 4))
"""Shapes of a flat population and of one of maps."""
ROWS = 12
"""Number of rows R of a batch."""
STEP = 1e-5
"""Step of central differences in float64."""


def rows_of(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """Draw rows of a current whose neurons, or maps, have different means and deviations.

    Args:
        shape: shape of the population.
        seed: seed of the rows; means and deviations do not depend on it.

    Returns:
        Rows (R, *shape) in float64.
    """
    generator = seeded(seed)
    stand = statistics_shape(shape)
    spread = 0.5 + torch.rand(stand, generator=seeded(90), dtype=torch.float64)
    return normal(generator, ROWS, *shape) * spread + normal(seeded(91), *stand)


def statistics_of_rows(current: Tensor) -> CurrentStatistics:
    """Make running averages whose values are the means of these rows."""
    mean, square = over_rows(current), over_rows(current.square())
    return CurrentStatistics(
        start_at(0.0, tuple(mean.shape), current)._replace(value=mean),
        start_at(0.0, tuple(mean.shape), current)._replace(value=square),
    )


def settled_update(post: Tensor, normalised: Tensor) -> UpdateStatistics:
    """Make running averages of a postsynaptic factor whose values are the means of these rows.

    Args:
        post: rows of the factor d, (R, *shape).
        normalised: rows of the normalised current I^, (R, *shape).

    Returns:
        The averages of d and of d I^.
    """
    start = first_update_statistics(tuple(post.shape[1:]), post)
    return UpdateStatistics(
        start.mean._replace(value=over_rows(post)), start.product._replace(value=over_rows(post * normalised))
    )


def it_is_a_normalisation(entry: Entry) -> None:
    """Its ENTRY makes a `Normalisation` that says whether it reads the batch and whether it centres inputs."""
    instance = demand_instance(entry, Normalisation)
    for name in ("reads_batch", "centres_inputs"):
        value = getattr(instance, name, None)
        demand(isinstance(value, bool), f"`{name}` is true or false", f"it is {value!r}", "Set it in the class")


def its_statistics_belong_to_one_neuron_or_one_map(entry: Entry) -> None:
    """Mean and gain have one number for each neuron or map, and depend on no other neuron's current."""
    instance: Normalisation = entry.make()
    for shape in POPULATIONS:
        current, stand = rows_of(shape), statistics_shape(shape)
        other = current.clone()
        other[:, 0] = 7 - 3 * other[:, 0]
        for training in (True, False):
            answers = [instance.coefficients(statistics_of_rows(x), x, training) for x in (current, other)]
            for one, two in zip(*answers, strict=True):
                right = tuple(one.shape) == stand and bool(one.isfinite().all())
                demand(
                    right,
                    f"mean and gain of {shape} are finite {stand}",
                    f"one is {tuple(one.shape)}",
                    "See `statistics_shape`",
                )
                demand(
                    torch.equal(one[1:], two[1:]), "statistics belong to one neuron or one map, never to a layer",
                    "another neuron's current moved them", "Average over rows and positions alone",
                )  # fmt: skip


def forward_takes_the_mean_away_and_multiplies_by_the_gain(entry: Entry) -> None:
    """`forward` = (I - mean) gain, with the same gain."""
    instance: Normalisation = entry.make()
    for shape in POPULATIONS:
        current = rows_of(shape)
        for training in (True, False):
            statistics = statistics_of_rows(rows_of(shape, 1))
            mean, gain = instance.coefficients(statistics, current, training)
            normalised, used = instance.forward(statistics, current, training)
            advice = "Leave `forward` to the base class"
            demand_close(normalised, (current - mean) * gain, "`forward` is (I - mean) gain", advice)
            demand_close(used, gain, "`forward` returns the gain of `coefficients`", advice)


def a_current_at_its_statistics_becomes_standard(entry: Entry) -> None:
    """Where running averages equal the rows' own means, the normalised rows have mean 0 and variance 1."""
    instance: Normalisation = entry.make()
    for shape in POPULATIONS:
        current = rows_of(shape)
        for training in (True, False):
            normalised, _ = instance.forward(statistics_of_rows(current), current, training)
            mean, variance = over_rows(normalised), over_rows(normalised.square())
            apart = max(float(mean.abs().max()), float((variance - 1).abs().max()))
            observed = f"they are up to {apart:.2g} away from that"
            demand(apart < 0.05, "normalised rows have mean 0 and variance 1", observed, "Check mean and gain")


def a_current_that_never_varies_stays_finite(entry: Entry) -> None:
    """A neuron whose current is the same in every row has a finite gain, which EPSILON bounds."""
    instance: Normalisation = entry.make()
    for shape in POPULATIONS:
        current = torch.full((ROWS, *shape), 3.0, dtype=torch.float64)
        for training in (True, False):
            normalised, gain = instance.forward(statistics_of_rows(current), current, training)
            right = bool(normalised.isfinite().all()) and bool((gain.abs() <= 1.01 * EPSILON**-0.5).all())
            observed = f"its gain is {float(gain.abs().max()):.3g}"
            demand(right, "the gain of a constant current is at most 1 / sqrt(EPSILON)", observed, "Add EPSILON")


def rows_of_a_batch_see_each_other_only_where_reads_batch_says_so(entry: Entry) -> None:
    """`reads_batch` is true exactly where other rows change what training makes of a row; testing never reads rows."""
    instance: Normalisation = entry.make()
    for shape in POPULATIONS:
        current, statistics = rows_of(shape), statistics_of_rows(rows_of(shape, 1))
        other = torch.cat([current[:1], 2 + 3 * current[1:]])
        post, update = normal(seeded(3), ROWS, *shape), settled_update(rows_of(shape, 4), rows_of(shape, 5))
        for training in (True, False):
            one, gain = instance.forward(statistics, current, training)
            two, other_gain = instance.forward(statistics, other, training)
            back = instance.adjoint(update, post, one, gain)[0]
            other_back = instance.adjoint(update, torch.cat([post[:1], -2 * post[1:]]), two, other_gain)[0]
            apart = not (torch.equal(one[0], two[0]) and (not training or torch.equal(back, other_back)))
            shared = instance.reads_batch and training
            observed = f"with training={training} other rows {'changed' if apart else 'did not change'} a row"
            demand(
                apart == shared, "rows see each other only where `reads_batch` is true", observed, "Set `reads_batch`"
            )


def testing_uses_running_averages_alone(entry: Entry) -> None:
    """Without training, mean and gain are those of the running averages, whatever the rows."""
    instance: Normalisation = entry.make()
    for shape in POPULATIONS:
        reference = rows_of(shape, 1)
        mean, gain = instance.coefficients(statistics_of_rows(reference), rows_of(shape), False)
        expected = (over_rows(reference.square()) - over_rows(reference).square() + EPSILON).rsqrt()
        advice = "Use `by_running` where `training` is false"
        demand_close(mean, over_rows(reference), "testing takes the running mean away", advice)
        demand_close(gain, expected, "testing divides by the running deviation", advice)


def the_adjoint_is_the_derivative_of_a_standardised_current(entry: Entry) -> None:
    """With averages at the rows' own means, `adjoint` equals central differences of (I - mean(I)) / sigma(I)."""
    instance: Normalisation = entry.make()

    def standardised(current: Tensor) -> Tensor:
        mean = over_rows(current)
        return (current - mean) * (over_rows((current - mean).square()) + EPSILON).rsqrt()

    for shape in POPULATIONS:
        current, post = rows_of(shape), normal(seeded(3), ROWS, *shape)
        normalised, gain = instance.forward(statistics_of_rows(current), current, True)
        answer = instance.adjoint(settled_update(post, normalised), post, normalised, gain)
        directions = [normal(seeded(30 + n), *current.shape) for n in range(8)]
        exact = [
            (post * (standardised(current + STEP * d) - standardised(current - STEP * d))).sum() / (2 * STEP)
            for d in directions
        ]
        claimed = torch.stack([(answer * direction).sum() for direction in directions])
        demand_close(
            claimed, torch.stack(exact), "`adjoint` is (d - E[d] - I^ E[d I^]) / sigma", "Check its signs and averages",
            1e-6,
        )  # fmt: skip


def nothing_that_is_handed_in_changes(entry: Entry) -> None:
    """No call changes statistics or rows, and results have the type of the rows."""
    instance: Normalisation = entry.make()
    for shape in POPULATIONS:
        for dtype in (torch.float64, torch.float32):
            current, post = rows_of(shape).to(dtype), normal(seeded(3), ROWS, *shape).to(dtype)
            statistics = first_current_statistics(shape, current)
            arguments = (current, post, statistics)
            before = copied(arguments)
            normalised, gain = instance.forward(statistics, current, True)
            back = instance.adjoint(first_update_statistics(shape, post), post, normalised, gain)
            demand(
                equal(before, copied(arguments)),
                "statistics and rows are left as they were",
                "some changed",
                "Work on copies",
            )
            right = normalised.dtype == gain.dtype == back.dtype == dtype and back.shape == current.shape
            demand(right, f"results of {dtype} rows are {dtype}", f"one is {back.dtype}", "Keep the type")


SUITE = Suite(
    NORMALISATIONS,
    Normalisation,
    (
        it_is_a_normalisation,
        its_statistics_belong_to_one_neuron_or_one_map,
        forward_takes_the_mean_away_and_multiplies_by_the_gain,
        a_current_at_its_statistics_becomes_standard,
        a_current_that_never_varies_stays_finite,
        rows_of_a_batch_see_each_other_only_where_reads_batch_says_so,
        testing_uses_running_averages_alone,
        the_adjoint_is_the_derivative_of_a_standardised_current,
        nothing_that_is_handed_in_changes,
    ),
)
