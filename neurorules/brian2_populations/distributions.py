"""Parameters that differ from cell to cell, in the numbers in which physiologists report them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import truncnorm

from neurorules.language.errors import UserError


def truncated_normal(size: int, mean: Any, sd: Any, low: Any, high: Any, random: np.random.Generator) -> Any:
    """Draw from a normal distribution that is truncated at two limits.

    Args:
        size: number of draws.
        mean: the mean of the distribution before it is cut, with Brian2's units or without.
        sd: its standard deviation in the same unit, > 0.
        low: smallest value that is drawn.
        high: largest value that is drawn, above `low`.
        random: generator of the draws.

    Returns:
        The draws, (size,), in the unit of the mean, for a variable such as `group.tau`.

    Raises:
        UserError: the standard deviation is not positive, or the lower limit is not below the upper one.
    """
    if not sd > 0 * sd or not low < high:
        raise UserError(f"sd is {sd}, and values lie within {low} and {high}. Give an sd above 0, and low below high")
    ends = [float((end - mean) / sd) for end in (low, high)]
    return mean + sd * truncnorm.ppf(random.random(size), *ends)


def log_normal(size: int, mean: Any, sd: Any, random: np.random.Generator) -> Any:
    """Draw from a log-normal distribution that is given by the mean and the deviation of its values.

    Args:
        size: number of draws.
        mean: the mean of the values, > 0, with Brian2's units or without.
        sd: standard deviation of the values in the same unit, > 0.
        random: generator of the draws.

    Returns:
        The draws, (size,), in the unit of the mean.

    Raises:
        UserError: the mean or the standard deviation is not positive.
    """
    if not mean > 0 * mean or not sd > 0 * sd:
        raise UserError(f"the mean is {mean} and the sd {sd}. A log-normal distribution needs both above 0")
    variance = np.log1p(float(sd / mean) ** 2)
    return mean * np.exp(random.normal(-variance / 2, np.sqrt(variance), size))
