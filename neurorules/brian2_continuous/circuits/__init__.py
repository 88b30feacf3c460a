"""Learning rules in continuous time, one file for each rule: the equations that compute its third factor."""

from neurorules.language.registry import Registry

CIRCUITS = Registry("circuit", "neurorules.brian2_continuous.circuits")
