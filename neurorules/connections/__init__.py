"""Connections, one file each: they turn presynaptic activity into current, and two factors into a change of weights."""

from neurorules.language.registry import Registry

CONNECTIONS = Registry("connection", "neurorules.connections")
