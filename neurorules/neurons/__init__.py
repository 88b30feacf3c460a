"""The neurons that `--neuron` accepts: each file of this registry defines one neuron model as a pure step function."""

from neurorules.language.registry import Registry

NEURONS = Registry("neuron", "neurorules.neurons")
