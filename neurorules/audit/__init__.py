"""The locality audit: it changes one thing at a time to measure what each update depends on (docs/locality.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from neurorules.audit.fresh import measure_all
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
        rules: rules with their options, as texts.
        net: hidden layers of the audited net, which has an input of 6 x 6.
        norm: name of the normalisation; None for that of each rule.
        signal, dw: a learning signal and a text of hidden weights that replace those of every rule; None keeps them.

    Returns:
        The result of `audit_settings`, with the rules' texts as names.

    Raises:
        UserError: there is no rule, a rule is unknown, or none of them can be audited.
    """
    for rule in rules:
        RULES.make(rule)
    if not rules:
        raise UserError("no rule to audit. Name some: --rules sigprop,bptt")
    audit = audit_settings({rule: Settings(rule, net=net, norm=norm, signal=signal, dw=dw) for rule in rules})
    if not audit["facts"]:
        raise UserError(next(f"{rule}: {reason}" for rule, reason in audit["left_out"].items()))
    return audit


def audit_settings(by_name: Mapping[str, Settings]) -> dict[str, Any]:
    """Audit settings on a small net, in a fresh process.

    Args:
        by_name: settings by name; the result uses the same names.

    Returns:
        A dictionary. nets: a line that describes the audited nets. left_out: by name, the reason why it could not be
        audited. entries: rule (the name), update_of, perturbed, kind and depends, for one trial. later: the same for
        the trials after it. facts: one for each name (see `facts_of`), with the settings, the measured and the declared
        needs, the tensors of the signal's state that changed although they are not declared to move (state_moves),
        those that did not change although they are declared to move (state_stays), and whether the same trial from the
        same state gave another change (hidden_memory), which means that the rule stores something that is not in
        checkpoints.
    """
    if not by_name:
        return {"nets": "", "left_out": {}, "entries": [], "later": [], "facts": []}
    answers = dict(zip(by_name, measure_all(list(by_name.values())), strict=True))
    audited = {name: answer for name, answer in answers.items() if "refused" not in answer}
    left_out = {name: answer["refused"] for name, answer in answers.items() if "refused" in answer}
    nets = ", ".join(dict.fromkeys(settings.net for settings in by_name.values()))
    description = f"net {nets} of each rule's own neurons, input {'x'.join(map(str, SHAPE))}, {CLASSES} classes, "
    description += f"{ROWS} samples, up to {STEPS} steps, float64, warmed up"
    return {
        "nets": description,
        "left_out": left_out,
        "entries": [{**e, "rule": name} for name, answer in audited.items() for e in answer["entries"]],
        "later": [{**e, "rule": name} for name, answer in audited.items() for e in answer["later"]],
        "facts": [
            {**answer["facts"], "rule": name, "settings": asdict(by_name[name])} for name, answer in audited.items()
        ],
    }  # fmt: skip
