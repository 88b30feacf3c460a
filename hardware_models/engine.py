"""Devices with a learning engine of their own: what fits it, and whether a rule that does not is refused."""

from __future__ import annotations

from typing import Literal

from neurorules.contracts.device_hooks import Misfit
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule

Rules = Literal["any", "engine"]
"""Which rules learn under a device: any, computed beside the chip where its engine cannot say it, or those that fit."""


def check_fit(device: str, rules: Rules, rule: Rule, misfits: tuple[Misfit, ...]) -> None:
    """Refuse a rule that a chip's learning engine cannot say, where that is asked for.

    Args:
        device: name of the device.
        rules: which rules may learn under it.
        rule: as a user names it.
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
