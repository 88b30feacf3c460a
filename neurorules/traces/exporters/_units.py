"""The spelling of units in each library. The header of a trace has the unit of each variable by name."""

from __future__ import annotations

from neurorules.traces.store import TraceReader

THRESHOLD = "threshold"
"""The unit of a membrane that counts in thresholds: 0 is rest and 1 is threshold. Exporters scale it to a potential."""
NWB = {"": "dimensionless", THRESHOLD: "volts", "volt": "volts", "amp": "amperes", "coulomb": "coulombs"}
"""Names of units in NWB's best practices, in the plural. A unit that is missing here keeps its name."""
QUANTITIES = {"": "dimensionless", THRESHOLD: "mV", "volt": "V", "amp": "A", "coulomb": "C"}
"""Names of units in the package quantities, which Neo takes."""


def volts_per_threshold(reader: TraceReader, wanted: float | None) -> float:
    """Say how many volts lie between rest and threshold.

    Args:
        reader: the trace.
        wanted: what the user asks for, > 0; None for what the trace says.

    Returns:
        The volts; 20 mV where neither says it.
    """
    return wanted or reader.header.scale.get("threshold_mV", 20.0) / 1000
