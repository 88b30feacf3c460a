"""The rules that fit a device's own learning engine: of each rule the terms that do not, and the nearest that does."""

from __future__ import annotations

from typing import Any

from neurorules.contracts.chip import Chip
from neurorules.contracts.device import DEVICES
from neurorules.contracts.device_chain import chain
from neurorules.contracts.device_hooks import FitsRules
from neurorules.language.errors import UserError
from neurorules.rules import RULES


def fits(hardware: str) -> list[dict[str, Any]]:
    """Check every rule against a device.

    Args:
        hardware: device models joined by +, with options.

    Returns:
        By rule: name, whether it fits, and its misfits: role, phase, term, why and nearest text of each.

    Raises:
        UserError: an unknown device, or one without a learning engine of its own.
    """
    chip = Chip(chain(hardware), {})
    if not any(isinstance(device, FitsRules) for device, _ in chip.parts):
        able = [name for name in DEVICES.names() if isinstance(DEVICES.make(name), FitsRules)]
        raise UserError(
            f"device '{hardware}' has no learning engine of its own, so every rule learns beside it. Those that have "
            f"one: {', '.join(able) or 'none'}"
        )
    rows = []
    for name in RULES.names():
        missing = chip.misfits(RULES.make(name))
        rows.append({"name": name, "fits": not missing, "misfits": [misfit._asdict() for misfit in missing]})
    return rows
