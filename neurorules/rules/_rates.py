"""The firing rate of a neuron in the trial so far, which rules pull towards a target."""

from __future__ import annotations

from neurorules.language.neuron_trace import Trace

SO_FAR = (Trace("spikes", 1.0), Trace("steps", 1.0, "1"))
"""The spikes of a neuron since the trial began, those of this step included, and the number of steps."""
OFF_TARGET = "(spikes_post / steps_post - f_target)"
"""By how much a neuron's rate in the trial so far, in spikes per step, exceeds the constant `f_target`."""
