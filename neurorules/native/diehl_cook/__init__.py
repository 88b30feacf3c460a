"""The network of Diehl & Cook (2015): input, excitatory and inhibitory neurons with conductances, and STDP.

Inputs excite N neurons through synapses that learn and have individual delays. Each neuron excites one inhibitory
neuron, which inhibits all other neurons. One presentation is a loop over steps: fused in C, and in plain torch with the
same arithmetic.
"""

from neurorules.native.diehl_cook.dispatch import present
from neurorules.native.diehl_cook.network import (
    COLUMN_SUM,
    EXCITATORY,
    INHIBITORY,
    Constants,
    Population,
    State,
    normalise,
    random_state,
)

__all__ = [
    "COLUMN_SUM",
    "EXCITATORY",
    "INHIBITORY",
    "Constants",
    "Population",
    "State",
    "normalise",
    "present",
    "random_state",
]
