"""The spelling of units in each library. The header of a trace has the unit of each variable by name."""

from __future__ import annotations

from neurorules.traces.store import TraceReader

THRESHOLD = "threshold"
"""The unit of a membrane that counts in units of the threshold: 0 is rest and 1 is threshold. Exporters scale it to a
potential."""
NWB = {"": "dimensionless", THRESHOLD: "volts", "volt": "volts", "amp": "amperes", "coulomb": "coulombs"}
"""Names of units in NWB's best practices, in the plural. A unit that is missing here keeps its name."""
QUANTITIES = {"": "dimensionless", THRESHOLD: "mV", "volt": "V", "amp": "A", "coulomb": "C"}
"""Names of units in the package quantities, which Neo uses."""


def volts_per_threshold(reader: TraceReader, wanted: float | None) -> float:
    """The number of volts between rest and threshold.

    Args:
        reader: the trace.
        wanted: the user's value, > 0; None for that of the trace.

    Returns:
        The volts; 20 mV if neither gives a value.
    """
    return wanted or reader.header.scale.get("threshold_mV", 20.0) / 1000
