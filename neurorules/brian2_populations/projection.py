"""A projection from one population to another: synapses that stay excitatory or inhibitory, also while they learn."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurorules.brian2_continuous.parts.circuit import Pairs
from neurorules.brian2_populations.dale import SIGN, check_dale
from neurorules.brian2_populations.learned import ORDER, LearnedText, learned_text
from neurorules.brian2_populations.receptors import Receptor
from neurorules.brian2_steps.backend import load_brian2
from neurorules.language.errors import UserError
from neurorules.language.registry import own_part
from neurorules.language.rules import Rule
from neurorules.rules import RULES


def projection(
    source: Any,
    target: Any,
    receptor: Receptor,
    pairs: Pairs,
    weight: Any,
    *,
    delay: Any = None,
    rule: str | Rule | None = None,
    w: float | np.ndarray = 0.5,
    lr: float | None = None,
    clock: Any = None,
    name: str = "synapses*",
) -> Any:
    """Make the synapses of one population onto another, or onto itself.

    Args:
        source: presynaptic group of Brian2, or a part of it.
        target: postsynaptic group, which has the receptor's variable (`synaptic_equations`), or a part of it.
        receptor: the variable that a spike changes. A weight is a strength, and the receptor determines whether it
            excites or inhibits.
        pairs: which neurons are connected, counted within source and target.
        weight: the effect of a spike in the receptor's unit, >= 0, for all synapses or for each, (n,). For synapses
            that learn, the effect through a weight `w` of 1.
        delay: the time from a spike to its effect, for all synapses or for each, (n,); None for none.
        rule: a learning rule without a signal, such as "stdp" or "my_rule.py", by whose texts the synapses learn; None
            for synapses that do not. It changes `w`, within the rule's bounds and never below 0.
        w: the initial value of `w`, >= 0, for all synapses or for each, (n,). Synapses that do not learn have none.
        lr: learning rate of the rule, which the variable `lr` of the synapses holds; None for the rule's own.
        clock: the clock of the synapses; None for Brian2's default clock.
        name: the name of the Brian2 object.

    Returns:
        `brian2.Synapses` with the variables `weight`, `dale_sign` and, if they learn, `w` and `lr`.

    Raises:
        UserError: a weight is negative, a pair lies outside of the groups, the target lacks the receptor's variable, a
            unit does not fit, the rule is not found or has no such form.
    """
    brian2 = load_brian2()
    clock = clock or brian2.defaultclock
    _check_pairs(pairs, len(source), len(target))
    _check_variable(brian2, target, receptor)
    learning_rule = RULES.make(own_part(rule, "rule")) if isinstance(rule, str) else rule
    text = None if learning_rule is None else learned_text(learning_rule, float(clock.dt / brian2.ms))
    synapses = _synapses(brian2, source, target, receptor, text, clock, name)
    synapses.connect(i=pairs.pre, j=pairs.post)
    _give(brian2, synapses, "weight", weight, f"a number of {receptor.unit}, as {receptor.variable} is")
    setattr(synapses, SIGN, 1 if receptor.kind == "excitatory" else -1)
    if learning_rule is not None:
        synapses.w, synapses.lr = w, learning_rule.defaults.lr if lr is None else lr
    if delay is not None:
        for pathway in ("pre", *(one for one, _ in (text.on_pre if text else ()))):
            _give(brian2, getattr(synapses, pathway), "delay", delay, "a time, such as 1*ms")
    check_dale(synapses)
    return synapses


def _synapses(
    brian2: Any, source: Any, target: Any, receptor: Receptor, text: LearnedText | None, clock: Any, name: str
) -> Any:
    """The synapses with their equations and statements, and without their pairs."""
    brought = "weight" if text is None else f"{text.transmitted}*weight"
    equations = [f"weight : {receptor.unit}", f"{SIGN} : integer (constant, shared)"]
    on_pre = {"pre": f"{receptor.variable}_post {'+' if receptor.sign > 0 else '-'}= {brought}"}
    on_post: dict[str, str] = {}
    if text is not None:
        equations += ["w : 1", "lr : 1 (shared)", *text.equations]
        on_pre |= {one: "\n".join(lines) for one, lines in text.on_pre}
        on_post = {one: "\n".join(lines) for one, lines in text.on_post}
    method = {"method": "exact"} if text is not None and text.every_step else {}
    synapses = brian2.Synapses(
        source, target, "\n".join(equations), on_pre=on_pre, on_post=on_post or None, clock=clock, name=name, **method
    )
    for pathway in (*on_pre, *on_post):
        getattr(synapses, pathway).order = ORDER.index(pathway)
    if text is not None and text.every_step:
        synapses.run_regularly("\n".join(text.every_step), when="end", clock=clock)
    return synapses


def _check_variable(brian2: Any, target: Any, receptor: Receptor) -> None:
    """Refuse a target that does not have what a receptor's spikes change, in the receptor's unit."""
    if receptor.variable not in target.variables:
        raise UserError(
            f"group '{target.name}' has no variable '{receptor.variable}', which spikes change. Add it to the group's "
            f"equations: synaptic_equations(...) writes those of a receptor"
        )
    unit = 1 if receptor.unit == "1" else getattr(brian2, receptor.unit)
    own = target.variables[receptor.variable].dim
    if not brian2.have_same_dimensions(brian2.Quantity(1.0, dim=own), unit):
        raise UserError(
            f"'{receptor.variable}' of group '{target.name}' counts in {'1' if own.is_dimensionless else own}, and the "
            f"receptor in {receptor.unit}. Give jump(...) the unit of the variable"
        )


def _give(brian2: Any, owner: Any, name: str, value: Any, unit: str) -> None:
    """Set a variable of synapses, whose unit Brian2 checks."""
    try:
        setattr(owner, name, value)
    except brian2.DimensionMismatchError as error:
        said = " ".join(str(error).split())
        raise UserError(f"{name} of projection '{owner.name}' has another unit: {said} Give {unit}") from None


def _check_pairs(pairs: Pairs, source: int, target: int) -> None:
    for end, indices, size in (("source", pairs.pre, source), ("target", pairs.post, target)):
        if len(indices) and not (indices.min() >= 0 and indices.max() < size):
            raise UserError(
                f"a pair names neuron {indices.max()} of the {end}, which has {size}. Draw pairs for this size"
            )
