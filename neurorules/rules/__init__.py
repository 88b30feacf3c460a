"""Learning rules: one file each, one paper each. The folder is a registry."""

from neurorules.language.registry import Registry

RULES = Registry("rule", "neurorules.rules")
