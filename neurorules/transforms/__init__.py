"""Transforms of spikes on their way to the next layer, without parameters: pooling, flattening and dropout."""
