"""The texts of a rule, checked and converted to sums of products, which all machines use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, get_args

from neurorules.language.errors import UserError
from neurorules.language.rules import SENT, Plasticity, Role, Rule
from neurorules.network.cascades import with_cascades
from neurorules.network.products import Group, group_products

ROLES: tuple[Role, ...] = get_args(Role)
"""The roles of layers."""


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


class PhaseTexts(NamedTuple):
    """The texts of one phase for the layers of one role.

    Args:
        texts: the texts.
        reads_m: whether one of them reads the third factor.
        asks_m: whether the layers need the third factor, for their texts or because the signal teaches their neurons or
            the read-out itself.
        learns: whether anything learns: there are texts, or the signal teaches.
    """

    texts: tuple[Text, ...]
    reads_m: bool
    asks_m: bool
    learns: bool


def texts_by_phase(
    texts: tuple[Text, ...], phases: tuple[str, ...], taught: frozenset[Role]
) -> dict[tuple[str, Role], PhaseTexts]:
    """The texts of a rule by the phase and the role of the layers for which they hold.

    Args:
        texts: all texts of the rule.
        phases: the names of its phases.
        taught: the roles that need a third factor whatever their texts read.

    Returns:
        The texts of each phase and role; empty ones where nothing learns.
    """
    learning: dict[tuple[str, Role], PhaseTexts] = {}
    for phase in phases:
        for role in ROLES:
            own = tuple(t for t in texts if (t.plasticity.phase, t.plasticity.role) == (phase, role))
            reads_m = any(text.reads_m for text in own)
            asks_m = reads_m or role in taught
            learning[phase, role] = PhaseTexts(own, reads_m, asks_m, bool(own) or asks_m)
    return learning


def compile_rule(rule: Rule) -> tuple[Text, ...]:
    """Check all texts of a rule, and group their products.

    Raises:
        UserError: a text is illegal.
    """
    equations = ((p, rule.equation(p)) for p in rule.plasticity)
    texts = tuple(
        Text(p, with_cascades(group_products(equation, p.statistics), equation.vocabulary), "m_post" in equation.reads)
        for p, equation in equations
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
