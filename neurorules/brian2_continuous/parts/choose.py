"""What a circuit runs on here: compiled where there is a C++ compiler, else Brian2's numpy target, which says so."""

from __future__ import annotations

import warnings

from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_continuous.parts.machine import Machine
from neurorules.brian2_continuous.parts.standalone import compile_circuit
from neurorules.brian2_steps.program import find_cpp_compiler

SLOWER = 50
"""Times that the numpy target is slower. Source: measured, 500 presentations of DRTP on 64-60-10 units, one core."""


def machine_for(circuit: Circuit) -> Machine:
    """The fastest machine that this computer has for a circuit.

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
