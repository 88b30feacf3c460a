"""Transforms of spikes on their way to the next layer: pooling, flattening, dropout. They learn nothing."""
