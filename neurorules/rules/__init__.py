"""The learning rules that `--rule` accepts: each file of this registry defines one rule and cites its paper."""

from neurorules.language.registry import Registry

RULES = Registry("rule", "neurorules.rules")
