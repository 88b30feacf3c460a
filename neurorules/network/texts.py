"""The texts of a rule, checked and converted to sums of products, which all machines use."""

from __future__ import annotations

from dataclasses import dataclass

from neurorules.language.errors import UserError
from neurorules.language.rules import SENT, Plasticity, Rule
from neurorules.network.products import Group, group_products


@dataclass(frozen=True)
class Text:
    """One text of a rule, compiled.

    Args:
        plasticity: the text, its parameter and its phase.
        groups: the groups of its products.
        reads_m: whether the text reads the third factor.
    """

    plasticity: Plasticity
    groups: tuple[Group, ...]
    reads_m: bool


def compile_rule(rule: Rule) -> tuple[Text, ...]:
    """Check all texts of a rule, and group their products.

    Raises:
        UserError: a text is illegal.
    """
    equations = ((p, rule.equation(p)) for p in rule.plasticity)
    texts = tuple(
        Text(p, group_products(equation, p.statistics), "m_post" in equation.reads) for p, equation in equations
    )
    for text in texts:
        beside = any(g.pre is not None or g.weight is not None or g.eligible or g.eligibility for g in text.groups)
        if text.plasticity.parameter == SENT and beside:
            raise UserError(
                f"rule '{rule.name}': the text '{text.plasticity.text}' of `{SENT}` reads what stands at a synapse or "
                f"before it, and a neuron sends down what is its own. Write postsynaptic factors, such as "
                f"-m_post * psi(v_post)"
            )
    return texts
