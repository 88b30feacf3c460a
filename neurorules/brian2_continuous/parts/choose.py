"""The choice of the machine that runs a circuit: a compiled program, or Brian2's numpy target where there is no C++
compiler.
"""

from __future__ import annotations

import warnings

from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_continuous.parts.machine import Machine
from neurorules.brian2_continuous.parts.standalone import compile_circuit
from neurorules.brian2_steps.program import find_cpp_compiler

SLOWER = 50
"""How many times slower the numpy target is than a compiled program. Source: measured with 500 presentations of DRTP on
64-60-10 units, on one core."""


def machine_for(circuit: Circuit) -> Machine:
    """Make the fastest machine for a circuit that this computer can run, with a warning if that is the slow one.

    Raises:
        MissingExtra: brian2 is not installed.
        UserError: the compiler fails.
    """
    if find_cpp_compiler() is not None:
        return compile_circuit(circuit)
    warnings.warn(
        f"neurorules: no C++ compiler was found (g++ and make), so the equations run in Brian2's numpy target, about "
        f"{SLOWER} times slower, with the same results. Debian, Ubuntu: apt install g++ make; macOS: xcode-select "
        f"--install",
        RuntimeWarning,
        stacklevel=3,
    )
    return Interpreted(circuit)
