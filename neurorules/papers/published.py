"""A number that a paper reports, and how far it can be trusted."""

from __future__ import annotations

from typing import Literal, NamedTuple

Trust = Literal["verified", "second-hand", "recalled, unverified"]
"""The reliability of a number: it was read in a public text or code, read in notes by others, or recalled from
memory."""


class Published(NamedTuple):
    """A number that a paper reports; for training runs, a test accuracy.

    Args:
        value: in percent.
        spread: standard deviation in percent; None if the paper gives none.
        trust: how far the number can be trusted.
    """

    value: float
    spread: float | None = None
    trust: Trust = "verified"

    def show(self) -> str:
        """The number as the text of a table's cell."""
        spread = "" if self.spread is None else f" ± {self.spread:.2f}"
        return f"{self.value:.2f}{spread}" + ("" if self.trust == "verified" else f" ({self.trust})")
