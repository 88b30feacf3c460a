"""Rules side by side: every rule and seed on the same net, data order and initial weights.

`neurorules.compare(...)` is this package, called: importing it would else take the place of a function of its name.
"""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from typing import Any


class _Comparison(ModuleType):
    """A package that can be called."""

    def __call__(self, *arguments: Any, **settings: Any) -> dict[str, Any]:
        """See `neurorules.compare.one_line.compare`, which takes the arguments."""
        from neurorules.compare.one_line import compare

        return compare(*arguments, **settings)

    @property
    def __signature__(self) -> inspect.Signature:
        """What `help` and editors show of the call."""
        from neurorules.compare.one_line import compare

        return inspect.signature(compare)


sys.modules[__name__].__class__ = _Comparison
