"""`sweep`: it searches settings and options of a training, as a TOML file says, by validation samples."""

from neurorules.compare.sweep.sweep import SWEEP_FILE, sweep

__all__ = ["SWEEP_FILE", "sweep"]
