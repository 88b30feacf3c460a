"""Neurons: one file each. A neuron is a pure step on explicit state; the folder is a registry."""

from neurorules.language.registry import Registry

NEURONS = Registry("neuron", "neurorules.neurons")
