"""One learning rule in continuous time a file, by the rule's name: where its third factor comes from, as equations."""

from neurorules.language.registry import Registry

CIRCUITS = Registry("circuit", "neurorules.brian2_continuous.circuits")
