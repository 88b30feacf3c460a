"""The names that a rule text may use, and the side of the synapse that each name belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from neurorules.language.eligibility import Eligibility
from neurorules.language.neuron_trace import Trace

ELIGIBILITY, WEIGHT = "dv_dw", "w"


class Side(Enum):
    """The part of a synapse that a factor belongs to: the presynaptic neuron, the postsynaptic neuron, or the
    weight."""

    PRE = "pre"
    POST = "post"
    WEIGHT = "weight"


@dataclass(frozen=True)
class Vocabulary:
    """The names a rule text may use.

    Args:
        neuron: variables that every neuron has; `S` can be read as `S_pre` and `S_post`.
        post_only: variables that exist only at the postsynaptic neuron, such as `m`.
        pre_only: variables that exist only at the presynaptic neuron, such as `mean`.
        synapse: the parameter's own name.
        constants: declared constants and their values.
        eligibilities: declared eligibilities, by name.
        traces: declared traces, by name; the same names are in `neuron` or `post_only`.
    """

    neuron: frozenset[str]
    post_only: frozenset[str] = frozenset({"m"})
    pre_only: frozenset[str] = frozenset({"mean"})
    synapse: str = WEIGHT
    constants: Mapping[str, float] = field(default_factory=dict)
    eligibilities: Mapping[str, Eligibility] = field(default_factory=dict)
    traces: Mapping[str, Trace] = field(default_factory=dict)

    def legal(self) -> set[str]:
        """Every legal name of the vocabulary, with suffixes."""
        both = {f"{name}_{side}" for name in self.neuron for side in ("pre", "post")}
        one_side = {f"{n}_post" for n in self.post_only} | {f"{n}_pre" for n in self.pre_only}
        return both | one_side | {self.synapse, ELIGIBILITY} | set(self.constants) | set(self.eligibilities)

    def remembered(self) -> set[str]:
        """The traces that texts may read, with suffixes."""
        return {f"{name}_{side}" for name in self.traces for side in ("pre", "post")} & self.legal()

    def side(self, name: str) -> Side | None:
        """The side of a legal name; None for a constant."""
        if name in self.constants:
            return None
        if name == ELIGIBILITY or name in self.eligibilities or name.endswith("_pre"):
            return Side.PRE
        return Side.POST if name.endswith("_post") else Side.WEIGHT
