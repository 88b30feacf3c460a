"""Products of weights or postsynaptic factors with spikes, at a cost that follows the number of spikes.

    current = s w^T        correlation = post^T s        s of shape (R, I), mostly 0
The values of s that are not 0 are listed, and each adds one row of the other factor to a sum in vector registers. Sums
run over active inputs, or over rows, in ascending order, so the result does not depend on the number of threads. Rows
are multiplied by values other than 1, so the products also work for spikes that dropout has scaled, and for graded
input that is mostly 0.
"""

from .native import Lists, correlation, current, listed, serves, totals

__all__ = ["Lists", "correlation", "current", "listed", "serves", "totals"]
