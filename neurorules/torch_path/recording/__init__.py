"""Traces of a trained or a learning network, and why the weight of one synapse moved."""
