"""The parts of a contract suite: an entry, the checks that it has to pass, and how a check reports a failure."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from neurorules.language.errors import RAISED, MissingExtra, UserError
from neurorules.language.options import convert_options, parse_named
from neurorules.language.registry import Registry

SIZES = {"size": "5", "channels": "4"}
"""Values for options without a default that are sizes of a population. A network fills these in, and so do checks."""


class Breach(Exception):
    """An entry breaks its contract.

    Args:
        demands: what the contract demands, as the beginning of a sentence.
        observed: what was observed, as the rest of that sentence behind "but".
        advice: what to do, as a sentence.
    """

    def __init__(self, demands: str, observed: str, advice: str) -> None:
        line = " ".join(f"{demands}, but {observed}. {advice}".split())
        super().__init__(f"{line[:1].upper()}{line[1:].rstrip('.')}.")


class NotApplicable(Exception):
    """A check does not apply to an entry; its one line says why."""


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
        """The entry's name as the registry lists it, without its options."""
        return parse_named(self.text)[0]

    def make(self, **sizes: int) -> Any:
        """Make the entry with its options; a size that has no default is filled in.

        Args:
            sizes: values of sizes by name, where they are not those of `SIZES`. Sizes that the entry does not take are
                left out.

        Raises:
            UserError: the entry or an option is unknown, or a value has the wrong type.
        """
        name, options = parse_named(self.text)
        return build(f"{self.registry.kind} '{name}'", self.registry.factory(name), options, sizes)

    def __str__(self) -> str:
        return f"{self.registry.kind} '{self.text}'"


def build(owner: str, factory: Callable[..., Any], options: Mapping[str, str], sizes: Mapping[str, int]) -> Any:
    """Call an `ENTRY` with a user's options.

    Args:
        owner: names the entry in messages, such as "neuron 'lif'".
        factory: the ENTRY.
        options: values of options by name, as the user wrote them.
        sizes: values of sizes by name, where they are not those of `SIZES`.

    Returns:
        What the ENTRY makes.

    Raises:
        UserError: an option is unknown, or a value has the wrong type.
    """
    filled = dict(options)
    for parameter in inspect.signature(factory).parameters.values():
        needed = parameter.default is inspect.Parameter.empty and parameter.name not in options
        if needed and parameter.name in SIZES:
            filled[parameter.name] = str(sizes.get(parameter.name, SIZES[parameter.name]))
    return factory(**convert_options(owner, factory, filled))


Check = Callable[[Entry], None]
"""A function whose name is the sentence that it checks. It raises `Breach` or `NotApplicable`, and lets the entry's own
errors pass."""


@dataclass(frozen=True)
class Suite:
    """The contract of one kind of entry as checks.

    Args:
        registry: where entries of this kind are listed; its `kind` is the word that users write.
        protocol: the type of what each entry makes.
        checks: the checks in the order in which they run. Later ones rely on earlier ones.
    """

    registry: Registry
    protocol: type
    checks: tuple[Check, ...]


class Outcome(NamedTuple):
    """The outcome of one check of one entry.

    Args:
        check: the sentence that was checked.
        status: whether the entry passed, failed, or the check did not apply and was left out.
        reason: why it failed or was left out; "" where it passed.
        meaning: what the check demands, as a sentence.
    """

    check: str
    status: Literal["passed", "failed", "left out"]
    reason: str
    meaning: str = ""


def title(check: Check) -> str:
    """The sentence that a check is named after."""
    return check.__name__.replace("_", " ")


def run_check(check: Check, entry: Entry) -> Outcome:
    """Run one check, and turn whatever it raises into an outcome.

    Args:
        check: a check of a suite.
        entry: an entry of the suite's kind.

    Returns:
        The outcome. An error that the entry itself raises is a failure, whose reason names the error.
    """
    status, reason = _tried(check, entry)
    meaning = inspect.getdoc(check) or ""
    return Outcome(title(check), status, reason, " ".join(meaning.partition("\n\n")[0].split()))


def _tried(check: Check, entry: Entry) -> tuple[Literal["passed", "failed", "left out"], str]:
    """Status and reason of one check."""
    try:
        check(entry)
    except (NotApplicable, MissingExtra) as why:
        return "left out", str(why)
    except Breach as breach:
        return "failed", str(breach)
    except UserError as refusal:
        return "failed", f"{_begun(entry)} refuses what its contract lets a caller ask: {refusal}."
    except RAISED as error:
        line = " ".join(f"{type(error).__name__}: {error}".split())
        return "failed", f"{_begun(entry)} raised {line}. An entry raises UserError, and only where asked."
    return "passed", ""


def _begun(entry: Entry) -> str:
    """An entry's name at the beginning of a sentence."""
    return f"{str(entry)[:1].upper()}{str(entry)[1:]}"


def run_suite(suite: Suite, entry: Entry) -> Iterator[Outcome]:
    """Run the checks of a suite one after another.

    Args:
        suite: the suite of the entry's kind.
        entry: the entry that is checked.

    Returns:
        The outcomes in order; each check runs when its outcome is asked for.
    """
    return (run_check(check, entry) for check in suite.checks)


def demand(holds: bool, demands: str, observed: str, advice: str) -> None:
    """Raise a breach where something that a contract demands does not hold.

    Args:
        holds: whether the demand holds.
        demands: what the contract demands, as the beginning of a sentence.
        observed: what was observed, as the rest of that sentence behind "but".
        advice: what to do, as a sentence.

    Raises:
        Breach: the demand does not hold.
    """
    if not holds:
        raise Breach(demands, observed, advice)


def demand_instance(entry: Entry, protocol: type) -> Any:
    """Demand that an entry makes an instance of the type that its contract names.

    Args:
        entry: the entry that is checked.
        protocol: an abstract class or a protocol of `neurorules.contracts`.

    Returns:
        The instance.

    Raises:
        Breach: the entry makes something else.
    """
    instance = entry.make()
    demand(
        isinstance(instance, protocol), f"the ENTRY of a {entry.registry.kind} makes a {protocol.__name__}",
        f"{entry} made a {type(instance).__name__}", f"Let it offer all that {protocol.__module__} lists",
    )  # fmt: skip
    return instance
