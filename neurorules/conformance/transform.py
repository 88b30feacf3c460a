"""The checks of transforms: shapes, the adjoint, and a mask that depends only on the generator.

Transforms are named in the text of a net (`p2`, `d0.1`) and have no registry, so these checks take a transform itself.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from neurorules.conformance.comparison import demand_close, normal, seeded
from neurorules.conformance.suite import demand
from neurorules.contracts.transform import Shape, Transform

ROWS = 6
"""Number of rows R of activity: two steps of R / 2 samples."""
STEP = 1e-6
"""Step of central differences in float64."""


def drawn(transform: Transform, pre: Shape) -> tuple[Tensor, Tensor | None]:
    """Draw activity and a mask for a transform.

    Args:
        transform: the transform.
        pre: shape of the presynaptic population.

    Returns:
        Rows (R, *pre) of two steps in float64, and the mask of a trial of R / 2 samples; None if it draws none.
    """
    return normal(seeded(), ROWS, *pre), transform.draw(ROWS // 2, pre, seeded(1))


def rows_have_the_shape_it_announces(transform: Transform, pre: Shape) -> None:
    """`forward` gives (R, *post), and `adjoint` gives (R, *pre).

    Args:
        transform: the transform that is checked.
        pre: a presynaptic shape that it takes.

    Raises:
        Breach: a shape is another one.
    """
    rows, mask = drawn(transform, pre)
    forward = transform.forward(rows, mask)
    back = transform.adjoint(rows, mask, torch.zeros_like(forward))
    observed = f"they give {tuple(forward.shape[1:])} and {tuple(back.shape[1:])}"
    right = forward.shape == (ROWS, *transform.post_shape(pre)) and back.shape == rows.shape
    demand(right, "`forward` and `adjoint` lead from `pre` to `post_shape` and back", observed, "Correct the shapes")


def the_adjoint_is_the_derivative_of_forward(transform: Transform, pre: Shape) -> None:
    """<gradient, change of forward by d> = <adjoint(gradient), d>, and `tangent` is that change.

    Args:
        transform: the transform that is checked.
        pre: a presynaptic shape that it takes.

    Raises:
        Breach: central differences along random directions d differ from either.
    """
    rows, mask = drawn(transform, pre)
    gradient = normal(seeded(2), ROWS, *transform.post_shape(pre))
    answer = transform.adjoint(rows, mask, gradient)
    for seed in range(8):
        way = normal(seeded(30 + seed), *rows.shape)
        change = transform.forward(rows + STEP * way, mask) - transform.forward(rows - STEP * way, mask)
        exact, claimed = (gradient * change).sum() / (2 * STEP), (answer * way).sum()
        demand_close(
            claimed, exact, "`adjoint` is the adjoint of `forward`", "Check which inputs it gives back to", 1e-6
        )
        tangent = transform.tangent(rows, mask, way)
        demand_close(tangent, change / (2 * STEP), "`tangent` is the derivative along a change", "Correct it", 1e-6)


def a_mask_is_the_same_at_every_step_and_comes_from_the_generator(transform: Transform, pre: Shape) -> None:
    """A sample's rows at two steps are transformed alike, and equal seeds give equal masks.

    Args:
        transform: the transform that is checked.
        pre: a presynaptic shape that it takes.

    Raises:
        Breach: the steps or the masks differ.
    """
    rows, mask = drawn(transform, pre)
    twice = torch.cat([rows[: ROWS // 2]] * 2)
    first, second = transform.forward(twice, mask).chunk(2)
    demand(torch.equal(first, second), "a mask holds for a whole trial", "steps differ", "Repeat it over time")
    again = transform.draw(ROWS // 2, pre, seeded(1))
    same = (mask is None and again is None) or (mask is not None and again is not None and torch.equal(mask, again))
    demand(same, "`draw` draws from its generator alone", "equal seeds gave other masks", "Hand it to torch.rand")


def a_linear_transform_is_linear(transform: Transform, pre: Shape) -> None:
    """Where `linear` is true, the transform of a sum is the sum of transforms.

    Args:
        transform: the transform that is checked.
        pre: a presynaptic shape that it takes.

    Raises:
        Breach: `linear` is true, and the two differ.
    """
    rows, _ = drawn(transform, pre)
    other = normal(seeded(6), *rows.shape)
    joint = transform.forward(2 * rows - 3 * other, None)
    apart = 2 * transform.forward(rows, None) - 3 * transform.forward(other, None)
    if transform.linear:
        demand_close(joint, apart, "a transform whose `linear` is true is linear", "Set `linear = False`")


TransformCheck = Callable[[Transform, Shape], None]
"""A function whose name is the sentence that it checks of a transform and a presynaptic shape that it takes."""

CHECKS: tuple[TransformCheck, ...] = (
    rows_have_the_shape_it_announces,
    the_adjoint_is_the_derivative_of_forward,
    a_mask_is_the_same_at_every_step_and_comes_from_the_generator,
    a_linear_transform_is_linear,
)
"""All checks of the suite for a transform."""
