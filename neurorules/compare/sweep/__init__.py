"""`sweep`: tries settings of a training, and options of its parts, as a file says; validation samples choose."""

from neurorules.compare.sweep.sweep import SWEEP_FILE, sweep

__all__ = ["SWEEP_FILE", "sweep"]
