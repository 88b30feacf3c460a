"""Scans over time of integrate-and-fire layers, forwards and backwards, each in one pass over memory.

    late = 1 if u[t-1] > v_threshold else 0, a reset still due from the step before
    v[t] = beta u[t-1] + I[t] - late v_threshold  (SUBTRACT)  |  beta (1 - late) u[t-1] + I[t]  (ZERO)
    v[t] = beta u[t-1] + I[t]  (NONE)             s[t] = 1 if v[t] > v_threshold else 0
    u[t] = v[t] with a delayed reset (snnTorch 1.0.0's default) or NONE, else
    u[t] = v[t] - (s[t] - late) v_threshold  (SUBTRACT)  |  v[t] - (s[t] - late) v[t]  (ZERO)
This is snnTorch's Leaky bit for bit, its immediate reset included: if one subtraction leaves the membrane above
threshold, the next step compares the membrane minus one threshold, and adds the threshold back if there is no spike.
Plain C through ctypes: 2.7 s to compile once, then 1.7 ms for 25 steps of 128 x 1000 (eager torch 5.2). Numba: 1.4x
slower, 2 s at each start, a second OpenMP runtime in the process. A torch C++ extension: 34 s to compile an empty one.
"""

from .backwards import Passing, adjoint, loop_back
from .contract import (
    HAVE_PRIMITIVE,
    RESETS,
    Affine,
    Onwards,
    Psi,
    PsiShape,
    Reset,
    Reverse,
    Scan,
    ScanInputs,
    Through,
    Total,
)
from .dispatch import compiled, membranes, reruns, reverse, reverse_scan, run, scan, scan_inputs, serves, spikes
from .population import Cells, Kind, Loop, Start, loop, loops
from .program import SLOPES, Program, Term

__all__ = [
    "HAVE_PRIMITIVE",
    "RESETS",
    "SLOPES",
    "Affine",
    "Cells",
    "Kind",
    "Loop",
    "Onwards",
    "Passing",
    "Program",
    "Psi",
    "PsiShape",
    "Reset",
    "Reverse",
    "Scan",
    "ScanInputs",
    "Start",
    "Term",
    "Through",
    "Total",
    "adjoint",
    "compiled",
    "loop",
    "loop_back",
    "loops",
    "membranes",
    "reruns",
    "reverse",
    "reverse_scan",
    "run",
    "scan",
    "scan_inputs",
    "serves",
    "spikes",
]
