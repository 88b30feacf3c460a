"""The step, the units and the other choices that a NIR graph leaves open, and that users give behind a file's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from neurorules.language.errors import UserError
from neurorules.language.options import Named, convert_options, parse_named
from neurorules.language.ranges import Positive, ranged

SUFFIX = ".nir"
"""The ending of the names of files that hold a graph."""
STEP_SECONDS = 1e-4
"""Length of a step where neither the user nor the graph says it. Source: snnTorch 1.0.0, import_nir.py and
export_nir.py, which assume it."""
UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
"""Units of time constants, in seconds."""
Unit = Literal["s", "ms", "us", "steps"]
DT, UNIT, METHOD, START = "dt", "time_unit", "discretisation", "start"
"""Names in a graph's metadata: seconds of a step, the unit of its times, how they become decays, where a membrane
begins."""


@ranged("NIR graph")
@dataclass(frozen=True, kw_only=True)
class NirOptions:
    """The settings that a user gives for a graph which leaves them open.

    Args:
        dt: seconds of a step, > 0; by default that of the graph's metadata, else 0.0001.
        unit: unit of the time constants: s, ms, us or steps; by default that of the metadata, else s.
        method: euler, decay 1 - dt/tau; or exact, decay exp(-dt/tau) for a current that is constant over a step.
        start: where the membrane begins, which NIR leaves open: at v_leak (leak), or at 0 (zero). By default what the
            metadata say, else leak.
        reset: value, to v_reset as the equations have it; or subtract, which takes the threshold away. By default what
            the metadata of a node say, else value.
        input: what an input of 1 is to IF and I nodes, which have no time constant: current, which flows for dt, as
            their equation has it; or charge, which adds r at once, as snnTorch, Norse and Sinabs read them. By default
            current where the user or the metadata say dt, else charge.
        surrogate: name of the derivative of spikes for learning, such as atan; by default the metadata's, else
            fast_sigmoid.

    Raises:
        UserError: dt is not a positive number.
    """

    dt: Positive | None = None
    unit: Unit | None = None
    method: Literal["euler", "exact"] | None = None
    start: Literal["leak", "zero"] | None = None
    reset: Literal["value", "subtract"] | None = None
    input: Literal["current", "charge"] | None = None
    surrogate: Named | None = None


def is_nir(text: str) -> bool:
    """Whether the text of a net names a file of NIR, with or without options."""
    return text.partition(":")[0].strip().lower().endswith(SUFFIX)


def parsed(text: str) -> tuple[Path, NirOptions]:
    """Take the text `net.nir:dt=0.001:unit=ms` apart.

    Args:
        text: for which `is_nir` is true.

    Returns:
        The file and the options.

    Raises:
        UserError: an option that there is not, or a value that it cannot have.
    """
    name, raw = parse_named(text)
    return Path(name).expanduser(), NirOptions(**convert_options(f"net '{name}'", NirOptions, raw))


@dataclass(frozen=True)
class Clock:
    """The clock of a graph: its step and its unit of time.

    Args:
        step: length of a step in the unit of the graph's time constants.
        exact: whether decays are exponentials.
        charge: whether inputs of IF and I nodes are charges.
        at_zero: whether membranes begin at 0, and not where they leak to.
        seconds: length of a step in seconds; None where the graph counts in steps and says nothing.
    """

    step: float
    exact: bool
    charge: bool
    at_zero: bool
    seconds: float | None


def clock_of(metadata: Mapping[str, Any], options: NirOptions, where: str) -> Clock:
    """The clock of a graph.

    Args:
        metadata: metadata of the graph.
        options: options of the user, which come before the metadata.
        where: names the file in messages.

    Returns:
        The clock.

    Raises:
        UserError: the metadata name a unit, a step or a discretisation that is not known here.
    """
    unit = options.unit or unit_of(metadata, where) or "s"
    dt = options.dt or _step_of(metadata, where)
    method = options.method or str(metadata.get(METHOD, "euler"))
    if method not in ("euler", "exact"):
        raise UserError(f"{where} says the discretisation '{method}'. Known: euler, exact. Give one, method=euler")
    charge = (options.input or ("current" if dt is not None or unit == "steps" else "charge")) == "charge"
    seconds = dt or (None if unit == "steps" else STEP_SECONDS)
    step = 1.0 if unit == "steps" else float(seconds or STEP_SECONDS) / UNITS[unit]
    at_zero = (options.start or metadata.get(START, "leak")) == "zero"
    return Clock(step, method == "exact", charge, at_zero, seconds)


def steps_of(node: Any, clock: Clock, at: str) -> np.ndarray:
    """The delays of a Delay in whole steps.

    Args:
        node: a node of NIR.
        clock: how the graph's time runs.
        at: names the node in messages.

    Returns:
        Whole numbers, () or one for each neuron.

    Raises:
        UserError: a delay that is no time, or no whole number of steps.
    """
    delays = np.asarray(node.delay, dtype=np.float64)
    steps = delays / clock.step
    if not np.all(np.isfinite(steps)) or steps.min() < 0:
        raise UserError(f"{at} has a delay that is not a time. Give it one of at least 0")
    whole = np.round(steps)
    if np.any(np.abs(steps - whole) > 1e-6 * np.maximum(whole, 1)):
        raise UserError(
            f"{at} has a delay of {steps.reshape(-1)[np.argmax(np.abs(steps - whole))]:.6g} steps. Give it whole "
            f"steps, or the graph steps that divide its delays, net.nir:dt=0.0001"
        )
    return whole.astype(np.int64)


def unit_of(metadata: Mapping[str, Any], where: str) -> str | None:
    """The unit of time that metadata name; None where they name none.

    Args:
        metadata: metadata of a graph or a node.
        where: names it in messages.

    Returns:
        The unit, such as "ms" or "steps", or None.

    Raises:
        UserError: a unit that is not known here.
    """
    for key in (UNIT, "unit", "units"):
        if key in metadata:
            unit = metadata[key]
            if not isinstance(unit, str) or unit not in (*UNITS, "steps"):
                raise UserError(
                    f"{where} has times in the unit '{unit}'. Known: {', '.join(UNITS)}, steps. Convert them, or say "
                    f"the unit yourself, net.nir:unit=ms"
                )
            return unit
    return None


def _step_of(metadata: Mapping[str, Any], where: str) -> float | None:
    if DT not in metadata:
        return None
    try:
        step = float(metadata[DT])
    except (TypeError, ValueError):
        step = float("nan")
    if not 0 < step < float("inf"):
        raise UserError(f"{where} says a step of {metadata[DT]} seconds. Give a positive one, net.nir:dt=0.001")
    return step
