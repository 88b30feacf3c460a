"""Compares rules: every rule and seed learns on the same net, data order and initial weights.

`neurorules.compare(...)` calls this package. It cannot be a function, which the imported package of the same name would
replace.
"""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from typing import Any


class _Comparison(ModuleType):
    """A package that can be called."""

    def __call__(self, *arguments: Any, **settings: Any) -> dict[str, Any]:
        """Compare rules; `neurorules.compare.one_line.compare` takes the arguments and explains them."""
        from neurorules.compare.one_line import compare

        return compare(*arguments, **settings)

    @property
    def __signature__(self) -> inspect.Signature:
        """The signature that `help` and editors show."""
        from neurorules.compare.one_line import compare

        return inspect.signature(compare)


sys.modules[__name__].__class__ = _Comparison
