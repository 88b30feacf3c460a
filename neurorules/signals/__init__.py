"""Learning signals: one file each, each says where the third factor `m_post` comes from. The folder is a registry."""

from neurorules.language.signal_spec import SIGNALS

__all__ = ["SIGNALS"]
