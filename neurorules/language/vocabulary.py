"""The names that a rule text may use, and the side of the synapse on which each of them lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from neurorules.language.eligibility import Eligibility
from neurorules.language.neuron_trace import Trace

ELIGIBILITY, WEIGHT = "dv_dw", "w"


class Side(Enum):
    """The place of a factor in a synapse: at the presynaptic neuron, the postsynaptic one, or the weight."""

    PRE = "pre"
    POST = "post"
    WEIGHT = "weight"


@dataclass(frozen=True)
class Vocabulary:
    """The names a rule text may use.

    Args:
        neuron: variables every neuron offers; `S` becomes legal as `S_pre` and `S_post`.
        post_only: variables that exist at the postsynaptic neuron alone, such as `m`.
        pre_only: variables that exist at the presynaptic neuron alone, such as `mean`.
        synapse: the parameter's own name.
        constants: declared constants and their values.
        eligibilities: declared ones, by name.
        traces: declared ones, by name; those names are among `neuron` and `post_only`.
    """

    neuron: frozenset[str]
    post_only: frozenset[str] = frozenset({"m"})
    pre_only: frozenset[str] = frozenset({"mean"})
    synapse: str = WEIGHT
    constants: Mapping[str, float] = field(default_factory=dict)
    eligibilities: Mapping[str, Eligibility] = field(default_factory=dict)
    traces: Mapping[str, Trace] = field(default_factory=dict)

    def legal(self) -> set[str]:
        """Every legal name of the vocabulary, suffixes included."""
        both = {f"{name}_{side}" for name in self.neuron for side in ("pre", "post")}
        one_side = {f"{n}_post" for n in self.post_only} | {f"{n}_pre" for n in self.pre_only}
        return both | one_side | {self.synapse, ELIGIBILITY} | set(self.constants) | set(self.eligibilities)

    def remembered(self) -> set[str]:
        """The traces that texts may read, suffixes included."""
        return {f"{name}_{side}" for name in self.traces for side in ("pre", "post")} & self.legal()

    def side(self, name: str) -> Side | None:
        """The side of a legal name; None for a constant."""
        if name in self.constants:
            return None
        if name == ELIGIBILITY or name in self.eligibilities or name.endswith("_pre"):
            return Side.PRE
        return Side.POST if name.endswith("_post") else Side.WEIGHT
