"""Normalisations of a population's current, one file each, with their way back. The folder is a registry."""

from neurorules.language.registry import Registry

NORMALISATIONS = Registry("normalisation", "neurorules.normalisations")
