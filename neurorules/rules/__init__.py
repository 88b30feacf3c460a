"""Learning rules, one file for each rule, with the paper that it comes from. The folder is a registry."""

from neurorules.language.registry import Registry

RULES = Registry("rule", "neurorules.rules")
