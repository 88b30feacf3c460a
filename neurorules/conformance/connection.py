"""The checks of connections: shapes, fan-in, linearity, and `correlate` and `transpose` as adjoints of `current`."""

from __future__ import annotations

import torch
from torch import Tensor

from neurorules.conformance.comparison import copied, demand_close, demand_session_left_alone, equal, normal, seeded
from neurorules.conformance.suite import Entry, NotApplicable, Suite, demand, demand_instance
from neurorules.connections import CONNECTIONS
from neurorules.contracts.connection import Connection, Shape
from neurorules.language.errors import RAISED, UserError

SHAPES: tuple[Shape, ...] = ((7,), (5,), (3, 11, 10), (4, 11, 10), (2, 3, 4, 5))
"""Shapes of the presynaptic populations that checks offer to a connection: flat ones, maps, and one of four axes."""
ROWS = 6
"""Number of rows R of activity."""
STEP = 1e-5
"""Step of central differences in float64."""
DIRECTIONS = {True: 12, False: 150}
"""Number of random directions in which derivatives are taken, for connections that are linear (True) and for others,
whose adjoints may be approximate."""


def fitting(entry: Entry) -> list[tuple[Connection, Shape]]:
    """List the connection with each presynaptic shape that it takes; a recurrent one takes its own shape alone.

    Raises:
        Breach: it takes none of `SHAPES`.
    """
    connection: Connection = entry.make()
    pairs = []
    for shape in SHAPES:
        try:
            post = connection.post_shape(shape)
        except UserError:
            continue
        if not connection.recurrent or post == shape:
            pairs.append((connection, shape))
    shapes = ", ".join(map(str, SHAPES))
    demand(bool(pairs), "a connection takes some population", f"{entry} took none of {shapes}", "See `post_shape`")
    return pairs


def drawn(connection: Connection, pre: Shape) -> tuple[Tensor, Tensor, Tensor]:
    """Draw weights and activity for a connection.

    Args:
        connection: the connection.
        pre: shape of the presynaptic population.

    Returns:
        Initial weights, standard normal presynaptic rows (R, *pre) and postsynaptic rows (R, *post), in float64.
    """
    generator = seeded()
    w = connection.initial(pre, generator, 1.0).double()
    return w, normal(generator, ROWS, *pre), normal(generator, ROWS, *connection.post_shape(pre))


def it_is_a_connection(entry: Entry) -> None:
    """Its ENTRY makes a `Connection`."""
    demand_instance(entry, Connection)


def a_population_that_does_not_fit_is_refused_by_a_user_error(entry: Entry) -> None:
    """`post_shape` answers a shape of positive numbers or raises `UserError`, and nothing else."""
    connection = entry.make()
    for shape in SHAPES:
        try:
            post = connection.post_shape(shape)
        except UserError:
            continue
        except RAISED as error:
            post = error
        demand(
            isinstance(post, tuple) and all(isinstance(n, int) and n > 0 for n in post),
            "`post_shape` gives a shape or raises UserError", f"for {shape} it gave {post!r}",
            "Refuse a population that does not fit in one line, with what to do",
        )  # fmt: skip


def weights_and_currents_have_the_shapes_it_announces(entry: Entry) -> None:
    """Initial weights, currents, correlations and transposes have announced shapes and the type of what came in."""
    for connection, pre in fitting(entry):
        w, rows, post = drawn(connection, pre)
        for dtype in (torch.float64, torch.float32):
            w, rows, post = w.to(dtype), rows.to(dtype), post.to(dtype)
            results = {
                "initial": (w, connection.weight_shape(pre)),
                "current": (connection.current(w, rows), (ROWS, *connection.post_shape(pre))),
                "correlate": (connection.correlate(w, post, rows), connection.weight_shape(pre)),
                "transpose": (connection.transpose(w, post, pre), (ROWS, *pre)),
                "carry": (connection.carry(w, post, rows), (ROWS, *pre)),
            }
            for name, (value, shape) in results.items():
                observed = f"`{name}` gave {tuple(value.shape)} of {value.dtype}"
                right = tuple(value.shape) == tuple(shape) and value.dtype == dtype and bool(value.isfinite().all())
                demand(right, f"`{name}` for {pre} gives finite {tuple(shape)} of {dtype}", observed, "Correct it")


def fan_in_is_the_number_of_synapses_of_a_neuron(entry: Entry) -> None:
    """A neuron away from the border depends on as many presynaptic neurons as `fan_in` says."""
    for connection, pre in fitting(entry):
        w, rows, _ = drawn(connection, pre)
        base = rows[:1].abs() + 0.5
        size = base.numel()
        one_by_one = torch.eye(size, dtype=base.dtype).reshape(size, *pre)
        reached = torch.zeros(size, 1, dtype=torch.bool)
        for by in (0.25, 64.0, -64.0):  # a maximum changes only where an input moves far, up or down
            changes = connection.current(w, base + by * one_by_one) - connection.current(w, base)
            reached = reached | (changes.reshape(size, -1).abs() > 1e-12)
        inputs = int(reached.sum(0).max())
        fan_in = connection.fan_in(pre)
        observed = f"it says {fan_in} for {pre}, and a neuron depends on {inputs}"
        demand(fan_in == inputs, "`fan_in` counts the synapses of a neuron", observed, "Count them borders aside")


def fresh_weights_come_from_the_generator_alone(entry: Entry) -> None:
    """Equal seeds give equal weights, another seed gives others, and no global generator is used."""
    for connection, pre in fitting(entry):
        one, same, other = (connection.initial(pre, seeded(seed), 1.0) for seed in (3, 3, 4))
        right = torch.equal(one, same) and not torch.equal(one, other)
        observed = "equal seeds gave other weights, or other seeds the same ones"
        demand(right, "`initial` draws from its generator", observed, "Hand the generator to torch.rand")

        def draw(connection: Connection = connection, pre: Shape = pre) -> None:
            connection.initial(pre, seeded(), 1.0)

        demand_session_left_alone(draw, "`initial`")


def fresh_weights_of_a_linear_connection_have_the_spread_they_announce(entry: Entry) -> None:
    """Their standard deviation is `scale` / sqrt(fan-in), and their mean is 0."""
    large: Connection = entry.make(size=200, channels=32)
    if not large.linear:
        raise NotApplicable("its weights are not those of a linear map")
    shapes: list[Shape] = [(200,), (100,), (16, 11, 10)]
    for pre in shapes:
        try:
            post = large.post_shape(pre)
        except UserError:
            continue
        if large.recurrent and post != pre:
            continue
        w, scale = large.initial(pre, seeded(), 0.7), 0.7
        spread, slack = float(w.std()) * large.fan_in(pre) ** 0.5, 5 * scale / (2 * w.numel()) ** 0.5
        mean = float(w.mean()) * large.fan_in(pre) ** 0.5
        observed = f"for a scale of {scale} they have {spread:.3f} / sqrt(fan-in) around {mean:.3f} / sqrt(fan-in)"
        right = abs(spread - scale) <= slack and abs(mean) <= 2 * slack
        demand(right, "fresh weights have a deviation of scale / sqrt(fan-in) around 0", observed, "Use `uniform`")


def silence_brings_no_current(entry: Entry) -> None:
    """Presynaptic activity of 0 gives a current of 0, because a bias belongs to the layer."""
    for connection, pre in fitting(entry):
        w, rows, _ = drawn(connection, pre)
        current = connection.current(w, torch.zeros_like(rows))
        observed = f"it brought up to {float(current.abs().max()):.2g}"
        demand(not current.any(), "a silent population brings no current", observed, "Leave a bias to the layer")


def a_connection_that_says_it_is_linear_is_linear(entry: Entry) -> None:
    """`current` of a sum is the sum of currents, in the activity and in the weights, where `linear` is true."""
    for connection, pre in fitting(entry):
        if not connection.linear:
            raise NotApplicable("it says that it is not linear")
        w, rows, _ = drawn(connection, pre)
        other_w, other = connection.initial(pre, seeded(5), 1.0).double(), normal(seeded(6), *rows.shape)
        demands, advice = "`current` is linear where `linear` is true", "Set `linear = False`, or make it so"
        joint = connection.current(w, 2 * rows - 3 * other)
        demand_close(joint, 2 * connection.current(w, rows) - 3 * connection.current(w, other), demands, advice)
        joint = connection.current(2 * w - 3 * other_w, rows)
        demand_close(joint, 2 * connection.current(w, rows) - 3 * connection.current(other_w, rows), demands, advice)


def correlate_is_the_adjoint_of_current_by_the_weights(entry: Entry) -> None:
    """<post, change of current by dw> = <correlate(post, pre), dw>, for several random dw."""
    for connection, pre in fitting(entry):
        w, rows, post = drawn(connection, pre)
        answer = connection.correlate(w, post, rows)
        count = DIRECTIONS[connection.linear]
        directions = [normal(seeded(200 + n), *w.shape) for n in range(count)]
        _demand_adjoint(
            connection, "correlate", answer, directions,
            [connection.current(w + STEP * d, rows) - connection.current(w - STEP * d, rows) for d in directions], post,
        )  # fmt: skip


def transpose_is_the_adjoint_of_current_by_the_activity(entry: Entry) -> None:
    """<post, change of current by ds> = <transpose(post), ds>; `carry` where the connection is not linear."""
    for connection, pre in fitting(entry):
        w, rows, post = drawn(connection, pre)
        answer = connection.transpose(w, post, pre) if connection.linear else connection.carry(w, post, rows)
        count = DIRECTIONS[connection.linear]
        directions = [normal(seeded(200 + n), *rows.shape) for n in range(count)]
        _demand_adjoint(
            connection, "transpose" if connection.linear else "carry", answer, directions,
            [connection.current(w, rows + STEP * d) - connection.current(w, rows - STEP * d) for d in directions], post,
        )  # fmt: skip


def _demand_adjoint(
    connection: Connection, name: str, answer: Tensor, directions: list[Tensor], changes: list[Tensor], post: Tensor
) -> None:
    exact = torch.stack([(post * change).sum() / (2 * STEP) for change in changes])
    claimed = torch.stack([(answer * direction).sum() for direction in directions])
    demands, advice = f"`{name}` is the adjoint of `current`", "Check signs, transposes and the sum over rows"
    if connection.linear:
        demand_close(claimed, exact, f"{demands} (inner products with random directions)", advice, 1e-6)
        return
    cosine = float(torch.nn.functional.cosine_similarity(claimed, exact, dim=0))
    observed = f"the cosine between the two is {cosine:.2f}"
    demand(cosine > 0, f"`{name}` points the way of the adjoint of `current`", observed, advice)


def carry_of_a_linear_connection_is_its_transpose(entry: Entry) -> None:
    """Where `linear` is true, `carry` does not depend on the presynaptic activity."""
    for connection, pre in fitting(entry):
        if not connection.linear:
            raise NotApplicable("it says that it is not linear")
        w, rows, post = drawn(connection, pre)
        advice = "Leave `carry` to the base class, or set `linear = False`"
        expected = connection.transpose(w, post, pre)
        demand_close(connection.carry(w, post, rows), expected, "`carry` of a linear connection is `transpose`", advice)


def no_row_sees_another(entry: Entry) -> None:
    """A row's current and what is carried back to it are the same alone and among others; `correlate` sums rows."""
    for connection, pre in fitting(entry):
        w, rows, post = drawn(connection, pre)
        advice = "Treat rows alike, and apart from each other"
        alone = torch.cat([connection.current(w, rows[[n]]) for n in range(ROWS)])
        demand_close(alone, connection.current(w, rows), "a row's current does not depend on other rows", advice)
        back = torch.cat([connection.carry(w, post[[n]], rows[[n]]) for n in range(ROWS)])
        demand_close(back, connection.carry(w, post, rows), "what is carried back to a row is its own", advice)
        summed = torch.stack([connection.correlate(w, post[[n]], rows[[n]]) for n in range(ROWS)]).sum(0)
        demand_close(connection.correlate(w, post, rows), summed, "`correlate` is a sum over rows", advice)


def nothing_that_is_handed_in_changes(entry: Entry) -> None:
    """No call changes weights or rows in place."""
    for connection, pre in fitting(entry):
        arguments = drawn(connection, pre)
        before = copied(arguments)
        w, rows, post = arguments
        connection.current(w, rows), connection.correlate(w, post, rows), connection.carry(w, post, rows)
        connection.transpose(w, post, pre)
        demand(
            equal(before, copied(arguments)),
            "a connection leaves weights and rows as they were",
            "some of them changed",
            "Work on copies",
        )


def synapses_at_rest_transmit_all_of_a_spike(entry: Entry) -> None:
    """With an efficacy, a first spike is transmitted in full, a later one at most in full, and no spike gives
    nothing."""
    connection: Connection = entry.make()
    if connection.efficacy is None:
        raise NotApplicable("all of every spike is transmitted")
    rest, spike = torch.zeros(3, 4, dtype=torch.float64), torch.ones(3, 4, dtype=torch.float64)
    nothing, use, depleted = connection.efficacy.step(rest, rest, rest)
    demands, advice = "an efficacy starts at rest and recovers towards it", "See `contracts.efficacy`"
    demand(not nothing.any() and equal((use, depleted), (rest, rest)), demands, "silence changed its state", advice)
    sent, use, depleted = connection.efficacy.step(rest, rest, spike)
    demand_close(sent, spike, "all of a first spike is transmitted", advice)
    for _ in range(5):
        later, use, depleted = connection.efficacy.step(use, depleted, spike)
        bounded = bool((later >= 0).all()) and bool(((depleted >= 0) & (depleted <= 1)).all())
        demand(bounded, "resources stay between none and all", f"missing are {float(depleted.max()):.2g}", advice)


SUITE = Suite(
    CONNECTIONS,
    Connection,
    (
        it_is_a_connection,
        a_population_that_does_not_fit_is_refused_by_a_user_error,
        weights_and_currents_have_the_shapes_it_announces,
        fan_in_is_the_number_of_synapses_of_a_neuron,
        fresh_weights_come_from_the_generator_alone,
        fresh_weights_of_a_linear_connection_have_the_spread_they_announce,
        silence_brings_no_current,
        a_connection_that_says_it_is_linear_is_linear,
        correlate_is_the_adjoint_of_current_by_the_weights,
        transpose_is_the_adjoint_of_current_by_the_activity,
        carry_of_a_linear_connection_is_its_transpose,
        no_row_sees_another,
        nothing_that_is_handed_in_changes,
        synapses_at_rest_transmit_all_of_a_spike,
    ),
)
