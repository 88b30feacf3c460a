"""`python docs/figures/surrogates.py NAME` keeps what each surrogate costs as docs/results/data/NAME.json.

Nothing is trained or timed: counts and energies are those of `hardware_models.surrogate_cost`, for 400 neurons over ten
steps.
"""

from __future__ import annotations

import argparse
import datetime

from store import checked_out, write

from hardware_models.surrogate_cost import RAW_VOLTAGE, VOLTAGE, cost_of
from neurorules.surrogates import make_surrogate

UPDATES = 400 * 10
"""Neurons times steps of a sample in the runs beside it."""
ROWS = {
    name: cost_of(make_surrogate(text))
    for name, text in {
        "fast_sigmoid": "fast_sigmoid", "atan": "atan", "triangle": "triangle:width=2", "table": "table:width=2",
        "power_of_two": "power_of_two:width=0.5", "boxcar": "boxcar", "comparator": "comparator:below=1",
    }.items()
}  # fmt: skip
HEADS = ["surrogate", "comparisons", "additions", "bits of psi", "bits of tables, shared", "bits read from them",
         "times the third factor",
         "nJ a sample", "circuit"]  # fmt: skip


def main() -> None:
    """Count and store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="of the stored file")
    asked = parser.parse_args()
    rows = []
    for name, cost in {**ROWS, "form=voltage": VOLTAGE, "form=raw_voltage": RAW_VOLTAGE}.items():
        numbers = (cost.comparisons, cost.additions, cost.bits, cost.shared_bits, cost.read_bits)
        rows.append([name, *map(str, numbers), cost.applied, f"{cost.pJ * UPDATES / 1e3:.2f}", cost.source])
    write(asked.name, {
        "command": f"python docs/figures/surrogates.py {asked.name}", "commit": checked_out(),
        "date": datetime.date.today().isoformat(), "machine": "any: nothing is timed",
        "note": "estimated: operations of 16 bits times figures of 45 nm; 400 neurons over 10 steps",
        "columns": HEADS, "rows": rows,
    })  # fmt: skip


if __name__ == "__main__":
    main()
