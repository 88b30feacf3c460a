"""Learning signals, one file each: where the third factor `m_post` of a rule comes from. The folder is a registry."""

from neurorules.language.signal_spec import SIGNALS

__all__ = ["SIGNALS"]
