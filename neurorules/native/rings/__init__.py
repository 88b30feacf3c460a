"""Five-variable rings of the BSP reconstruction: the system, its forward run and its reverse circuit.

Forward: z = ln(x / x*), z' = A (x - x*) + u e_J from rest, by Heun's method; the signal is a displacement x - x*.
Reverse: the adjoint a of z obeys, in reversed time, a' = x A^T a, and A^T is A with the ring run through in the
opposite sense: a physical mirrored ring carries the error back. Fused in C (0.1 ms for 128 x 100 rings on one core),
with the same arithmetic in plain torch beside it.
"""

from neurorules.native.rings.dispatch import fixed_point_gradient, reverse_edges, reverse_nodes, run_edges, run_nodes
from neurorules.native.rings.system import (
    ELEMENTS,
    Mode,
    ModeName,
    RingSteps,
    RingSystem,
    coupling_matrix,
    energy,
    field,
    fixed_point,
    fixed_points,
)

__all__ = [
    "ELEMENTS",
    "Mode",
    "ModeName",
    "RingSteps",
    "RingSystem",
    "coupling_matrix",
    "energy",
    "field",
    "fixed_point",
    "fixed_point_gradient",
    "fixed_points",
    "reverse_edges",
    "reverse_nodes",
    "run_edges",
    "run_nodes",
]
