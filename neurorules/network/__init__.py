"""Layers, network and model: the structure that every machine shares."""
