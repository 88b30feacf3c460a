"""Learning signals: one file each, each says where the third factor `m_post` comes from. The folder is a registry."""

from neurorules.language.registry import Registry

SIGNALS = Registry("signal", "neurorules.signals")
