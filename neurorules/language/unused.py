"""The refusal of options that would have no effect beside the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurorules.language.errors import UserError


def refuse_unused(options: Mapping[str, Any], why: str) -> None:
    """Refuse the first of some options that is set.

    Args:
        options: values by the names that they have in Python; None and False are those of options that are left out.
        why: the reason, as it follows the name of the option in the message, and what to do instead.

    Raises:
        UserError: one of them is set.
    """
    for name, value in options.items():
        if value is not None and value is not False:
            raise UserError(f"--{name.replace('_', '-')} {why}")
