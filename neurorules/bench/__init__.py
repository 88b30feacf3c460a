"""`neurorules bench`: the cost of a training step on this machine, compared with other libraries, bare products and
memory.
"""

from __future__ import annotations
