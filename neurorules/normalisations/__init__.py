"""Normalisation of a population's current, and the way back: one file each. The folder is a registry."""

from neurorules.language.registry import Registry

NORMALISATIONS = Registry("normalisation", "neurorules.normalisations")
