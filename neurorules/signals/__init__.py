"""The learning signals that `--signal` accepts: each file of this registry computes the third factor `m_post`."""

from neurorules.language.signal_spec import SIGNALS

__all__ = ["SIGNALS"]
