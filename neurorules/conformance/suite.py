"""What a contract suite is made of: an entry, checks that take it, and the one way in which a check fails."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from neurorules.language.errors import MissingExtra, UserError
from neurorules.language.options import convert_options, parse_named
from neurorules.language.registry import Registry

SIZES = {"size": "5", "channels": "4"}
"""Options without a default that say how large a population is, which a network fills in, and a check does so too."""


class Breach(Exception):
    """An entry breaks its contract; one line says what the contract demands, what was observed, and what to do."""

    def __init__(self, demands: str, observed: str, advice: str) -> None:
        super().__init__(" ".join(f"{demands}, but {observed}. {advice}".split()))


class NotApplicable(Exception):
    """A check has nothing to say about an entry; one line says why."""


@dataclass(frozen=True)
class Entry:
    """An entry of a registry, as a user names it.

    Args:
        registry: where it is listed (see `neurorules.conformance.lookup` for one that is not yet).
        text: its name with options, such as "lif:beta=0.5".
    """

    registry: Registry
    text: str

    @property
    def name(self) -> str:
        """The name without its options."""
        return parse_named(self.text)[0]

    def make(self, **sizes: int) -> Any:
        """What its `ENTRY` makes of the options; a size that has no default is filled in.

        Args:
            sizes: values of such sizes, by name; those that the entry does not take are left out.
        """
        name, options = parse_named(self.text)
        return build(f"{self.registry.kind} '{name}'", self.registry.factory(name), options, sizes)

    def __str__(self) -> str:
        return f"{self.registry.kind} '{self.text}'"


def build(owner: str, factory: Callable[..., Any], options: Mapping[str, str], sizes: Mapping[str, int]) -> Any:
    """What an `ENTRY` makes of a user's options.

    Args:
        owner: how errors name it, such as "neuron 'lif'".
        factory: the ENTRY.
        options: as texts.
        sizes: of `SIZES`, by name, where they are not to be the usual ones.

    Raises:
        UserError: an unknown option, or a value of the wrong type.
    """
    filled = dict(options)
    for parameter in inspect.signature(factory).parameters.values():
        needed = parameter.default is inspect.Parameter.empty and parameter.name not in options
        if needed and parameter.name in SIZES:
            filled[parameter.name] = str(sizes.get(parameter.name, SIZES[parameter.name]))
    return factory(**convert_options(owner, factory, filled))


Check = Callable[[Entry], None]
"""A function named as the sentence that it checks. It raises `Breach`, `NotApplicable`, or what the entry raises."""


@dataclass(frozen=True)
class Suite:
    """The contract of one kind of entry as checks.

    Args:
        registry: where entries of this kind are listed; its `kind` is the word that users write.
        protocol: the type that every entry makes an instance of.
        checks: in the order in which they run; the first ones are what the later ones rest on.
    """

    registry: Registry
    protocol: type
    checks: tuple[Check, ...]


class Outcome(NamedTuple):
    """What one check said of one entry; `reason` is empty where it passed."""

    check: str
    status: Literal["passed", "failed", "left out"]
    reason: str


def title(check: Check) -> str:
    """The sentence that a check is named by."""
    return check.__name__.replace("_", " ")


def run_check(check: Check, entry: Entry) -> Outcome:
    """Run one check, and turn whatever it raises into an outcome.

    Args:
        check: one of a suite.
        entry: of the suite's kind.

    Returns:
        The outcome; an error that the entry itself raises is a failure, and its reason names the error.
    """
    try:
        check(entry)
    except NotApplicable as why:
        return Outcome(title(check), "left out", str(why))
    except MissingExtra as missing:
        return Outcome(title(check), "left out", str(missing))
    except Breach as breach:
        return Outcome(title(check), "failed", str(breach))
    except UserError as refusal:
        return Outcome(title(check), "failed", f"{entry} refuses what its contract lets a caller ask: {refusal}")
    except Exception as error:
        line = " ".join(f"{type(error).__name__}: {error}".split())
        return Outcome(
            title(check), "failed", f"{entry} raised {line}. An entry raises UserError, and only where asked"
        )
    return Outcome(title(check), "passed", "")


def run_suite(suite: Suite, entry: Entry) -> Iterator[Outcome]:
    """The outcome of each check of a suite, in order.

    Args:
        suite: of the entry's kind.
        entry: what is checked.
    """
    return (run_check(check, entry) for check in suite.checks)


def demand(holds: bool, demands: str, observed: str, advice: str) -> None:
    """Raise a breach where something that a contract demands does not hold.

    Args:
        holds: whether it does.
        demands: what the contract demands, as the beginning of a sentence.
        observed: what was observed, as the rest of that sentence behind "but".
        advice: what to do, as a sentence.

    Raises:
        Breach: it does not hold.
    """
    if not holds:
        raise Breach(demands, observed, advice)


def demand_instance(entry: Entry, protocol: type) -> Any:
    """What an entry makes, if it is an instance of the type that its contract names.

    Args:
        entry: what is checked.
        protocol: an abstract class or a protocol of `neurorules.contracts`.

    Raises:
        Breach: it is something else.
    """
    instance = entry.make()
    demand(
        isinstance(instance, protocol), f"the ENTRY of a {entry.registry.kind} makes a {protocol.__name__}",
        f"{entry} made a {type(instance).__name__}", f"Let it offer all that {protocol.__module__} lists",
    )  # fmt: skip
    return instance
