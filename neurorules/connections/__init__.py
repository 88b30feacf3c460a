"""Connections: one file each. A connection turns presynaptic rows into current, and two factors into an update."""

from neurorules.language.registry import Registry

CONNECTIONS = Registry("connection", "neurorules.connections")
