"""Post factors by evaluation of the text, which defines their meaning."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from neurorules.language.expressions import Expression
from neurorules.network.products import value_of
from neurorules.torch_path.update.local_view import LocalView
from neurorules.torch_path.update.neuron_current import current_of
from neurorules.torch_path.update.neuron_traces import Neurons


def post_value(view: LocalView, expression: Expression, through_norm: Callable[[Tensor], Tensor]) -> Tensor:
    """Evaluate a postsynaptic factor over time.

    Args:
        view: the local view on which the texts are evaluated.
        expression: the expression of the factor.
        through_norm: carries a post factor back through the normalisation.

    Returns:
        The value, (T, B, *shape) or constant (B, *shape).
    """
    v, psi = view.activity.v.values, postsynaptic(view).psi

    def full(value: Tensor | float) -> Tensor:  # a number is the same for all neurons: `kept_post` without dropout
        return value if isinstance(value, Tensor) else torch.full(v.shape[1:], value, dtype=v.dtype, device=v.device)

    names = names_of_post(view, expression)
    return full(value_of(expression, names, lambda a: psi(full(a)), lambda a: through_norm(full(a))))


def names_of_post(view: LocalView, expression: Expression) -> dict[str, Tensor | float]:
    """The values of all variables that a postsynaptic factor reads, by name.

    Args:
        view: the local view on which the texts are evaluated.
        expression: the expression of the factor.

    Returns:
        Each value is (T, B, *shape), constant (B, *shape), or a number.
    """
    return _post_names(view) | current_of(view.activity, expression) | postsynaptic(view).names_of(expression, "_post")


def postsynaptic(view: LocalView) -> Neurons:
    """The neurons of the layer whose texts are evaluated."""
    psi = partial(view.activity.psi, view.layer.neuron)
    return Neurons(view, "post", view.activity.S, view.activity.v, psi)


def _post_names(view: LocalView) -> dict[str, Tensor | float]:
    names: dict[str, Tensor | float] = dict(view.constants)
    names["kept_post"] = 1.0 if view.activity.dropout_mask is None else view.activity.dropout_mask
    if view.m is not None:
        names["m_post"] = view.m.values
    if view.output is not None:
        names["p_post"], names["y_post"] = view.output.p, view.output.y
    return names
