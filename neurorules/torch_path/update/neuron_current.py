"""The current that reaches the postsynaptic neurons in each step, as texts read it: `i_post`."""

from __future__ import annotations

from torch import Tensor

from neurorules.language.errors import UserError
from neurorules.language.expressions import Expression, names_in
from neurorules.torch_path.forward.run_layer import Activity

CURRENT = "i_post"
"""The name in texts of the current that reaches the postsynaptic neuron in a step."""


def current_of(activity: Activity, expression: Expression) -> dict[str, Tensor | float]:
    """The current of the neurons, if a postsynaptic factor reads it.

    Args:
        activity: the activity of the layer.
        expression: the expression of the factor.

    Returns:
        The current by its name, (T, B, *shape) or constant (B, *shape); empty if the factor does not read it.

    Raises:
        UserError: no current is known, since neurons are told when to spike, or a chip reads out membranes alone.
    """
    if CURRENT not in names_in(expression):
        return {}
    if activity.inflow is None:
        raise UserError(
            f"a text reads `{CURRENT}`, the current of its neuron, which is not known where neurons are told when to "
            f"spike, or where a chip reads out membranes alone. Read v_post or S_post"
        )
    return {CURRENT: activity.inflow().values}
