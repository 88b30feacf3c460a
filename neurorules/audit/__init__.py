"""The locality audit: what every update depends on, found by changing one thing at a time (docs/locality.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from neurorules.audit.fresh import measured
from neurorules.audit.problems import problems_of
from neurorules.audit.settings import CLASSES, NET, ROWS, SHAPE, STEPS, Settings, settings_of
from neurorules.language.errors import UserError
from neurorules.rules import RULES

__all__ = ["audit_rules", "audit_settings", "problems_of", "settings_of"]


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
        What `audit_settings` returns, by the rules' texts.

    Raises:
        UserError: an unknown rule, or none that could be audited.
    """
    for rule in rules:
        RULES.make(rule)
    if not rules:
        raise UserError("no rule to audit. Name some: --rules sigprop,bptt")
    found = audit_settings({rule: Settings(rule, net=net, norm=norm, signal=signal, dw=dw) for rule in rules})
    if not found["facts"]:
        raise UserError(next(f"{rule}: {said}" for rule, said in found["left_out"].items()))
    return found


def audit_settings(asked: Mapping[str, Settings]) -> dict[str, Any]:
    """Audit settings on a small net, in a fresh process.

    Args:
        asked: by the name under which each is reported.

    Returns:
        nets: what was audited. left_out: by name, why it could not be audited. entries: rule (the name), update_of,
        perturbed, kind, depends, for one trial. later: the same for trials behind it. facts: one for each (see
        `facts_of`), with the settings, the needs that were found and those that its signal declares, the tensors of
        its signal's state that moved though it does not say so (state_moves), and whether the same trial from the same
        state asked for another change (hidden_memory): something is kept where no checkpoint finds it.
    """
    if not asked:
        return {"nets": "", "left_out": {}, "entries": [], "later": [], "facts": []}
    found = dict(zip(asked, measured(list(asked.values())), strict=True))
    done = {name: answer for name, answer in found.items() if "refused" not in answer}
    left_out = {name: answer["refused"] for name, answer in found.items() if "refused" in answer}
    nets = ", ".join(dict.fromkeys(settings.net for settings in asked.values()))
    said = f"net {nets} of each rule's own neurons, input {'x'.join(map(str, SHAPE))}, {CLASSES} classes, "
    said += f"{ROWS} samples, up to {STEPS} steps, float64, warmed up"
    return {
        "nets": said,
        "left_out": left_out,
        "entries": [{**e, "rule": name} for name, answer in done.items() for e in answer["entries"]],
        "later": [{**e, "rule": name} for name, answer in done.items() for e in answer["later"]],
        "facts": [
            {**answer["facts"], "rule": name, "settings": asdict(asked[name])} for name, answer in done.items()
        ],
    }  # fmt: skip
