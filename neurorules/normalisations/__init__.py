"""The normalisations of input currents that `--norm` accepts, one file each, with their adjoints."""

from neurorules.language.registry import Registry

NORMALISATIONS = Registry("normalisation", "neurorules.normalisations")
