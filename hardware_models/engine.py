"""Devices with a learning engine of their own: what fits it, and whether a rule that does not is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, Literal

from neurorules.contracts.device_hooks import Misfit
from neurorules.language.equations import Product
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule

Rules = Literal["any", "engine"]
"""Which rules learn under a device: any, computed beside the chip where its engine cannot say it, or those that fit."""


def check_fit(device: str, rules: Rules, rule: Rule, misfits: tuple[Misfit, ...]) -> None:
    """Refuse a rule that a chip's learning engine cannot say, where that is asked for.

    Args:
        device: name of the device.
        rules: which rules may learn under it.
        rule: the rule, before any device has changed it.
        misfits: what of it does not fit.

    Raises:
        UserError: the first term that does not fit, why, and the nearest text that does.
    """
    if rules == "any" or not misfits:
        return
    term, why, nearest = misfits[0].term, misfits[0].why, misfits[0].nearest
    instead = f"The nearest text that fits is {nearest}" if nearest else "Nothing of it fits"
    raise UserError(
        f"device '{device}:rules=engine': '{term}' of rule '{rule.name}' does not fit, because {why}. {instead}; "
        f"rules=any computes it beside the chip, and neurorules list rules --hardware {device} says which rules fit"
    )


def misfits_of(
    rule: Rule, problems_of: Callable[[Rule, Product], Iterable[tuple[str, str]]], nearest: str
) -> tuple[Misfit, ...]:
    """Ask of each product of a rule's texts for hidden weights what an engine cannot say.

    Args:
        rule: the rule, before any device has changed it.
        problems_of: gives the terms of a product that do not fit, and why.
        nearest: the text that stands for what the engine can say.

    Returns:
        A line for each term; one that stands in several products of a phase has one line.
    """
    unfit: dict[tuple[str, str], Misfit] = {}
    for text in rule.plasticity:
        if text.parameter != "w" or text.role != "hidden":
            continue
        for product in rule.equation(text).products:
            for term, why in problems_of(rule, product):
                unfit[text.phase, term] = Misfit(text.role, text.phase, term, why, nearest)
    return tuple(unfit.values())


class LearningEngine:
    """A device whose learning engine says what fits it, and which refuses other rules with rules=engine."""

    engine: ClassVar[str]
    """The name of the device."""
    unfit: ClassVar[Callable[[Rule], tuple[Misfit, ...]]]
    """The function that lists the terms of a rule which do not fit the engine."""
    rules: Rules
    """Which rules may learn under it."""

    def misfits(self, rule: Rule) -> tuple[Misfit, ...]:
        """Name the terms of a rule that do not fit the chip's own learning engine.

        Args:
            rule: the rule, before any device has changed it.

        Returns:
            A line for each term of its texts for hidden weights.
        """
        return type(self).unfit(rule)

    def check_rule(self, rule: Rule) -> None:
        """Refuse a rule that the chip's engine cannot say, with rules=engine.

        Args:
            rule: the rule, before any device has changed it.

        Raises:
            UserError: the first term that does not fit, and the nearest text that does.
        """
        check_fit(self.engine, self.rules, rule, self.misfits(rule))
