"""Layers, networks and models: the structure that all machines (torch, stepped Brian2, continuous time) share."""
