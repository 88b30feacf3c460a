"""The connections of a network, one file each: currents from activity, and weight changes from two factors."""

from neurorules.language.registry import Registry

CONNECTIONS = Registry("connection", "neurorules.connections")
