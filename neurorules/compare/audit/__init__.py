"""The locality audit: what every update depends on, found by changing one thing at a time (docs/locality.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neurorules.compare.audit.dependence import entries_of
from neurorules.compare.audit.facts import facts_of
from neurorules.compare.audit.needs import needs_of
from neurorules.compare.audit.problems import problems_of
from neurorules.compare.audit.rig import CLASSES, NET, ROWS, SHAPE, STEPS, build
from neurorules.language.errors import UserError
from neurorules.rules import RULES

__all__ = ["audit_rules", "problems_of"]


def audit_rules(
    rules: Sequence[str], net: str = NET, norm: str | None = None, signal: str | None = None, dw: str | None = None
) -> dict[str, Any]:
    """Audit rules on a small net.

    Args:
        rules: texts, with options.
        net: hidden layers of the audited net, behind an input of 6 x 6.
        norm: normalisation; the rule's own if None.
        signal, dw: replace every rule's learning signal, and its text of the hidden weights.

    Returns:
        nets: what was audited, and which rules could not be. entries: rule, update_of, perturbed, kind, depends.
        facts: one a rule (see `facts_of`), with the needs that were found and those that its signal declares.

    Raises:
        UserError: an unknown rule, or none that could be audited.
    """
    rules = list(dict.fromkeys(rules))
    entries, facts, left_out = [], [], []
    for rule in rules:
        RULES.make(rule)
        try:
            rig = build(rule, net, norm, signal, dw)
        except UserError as error:
            left_out.append(f"{rule}: {error}")
            continue
        found = entries_of(rig)
        entries += found
        fact = facts_of(rig, found)
        declared = rig.model.signal.needs if rig.model.signal is not None else frozenset()
        facts.append({**fact, "needs": sorted(needs_of(rig, found, fact)), "declared_needs": sorted(declared)})
    if not facts:
        raise UserError(left_out[0] if left_out else "no rule to audit. Name some: --rules sigprop,bptt")
    said = f"net {net} of each rule's own neurons, input {'x'.join(map(str, SHAPE))}, {CLASSES} classes, {ROWS} samples"
    said += f", up to {STEPS} steps, float64, warmed up"
    if left_out:
        said += "; not audited: " + "; ".join(left_out)
    return {"nets": said, "entries": entries, "facts": facts}
