"""The names in a class of a contract: a name that no one reads, but that resembles one of the contract, is refused.

A class without its own `needs` has the default of the contract. If it has `need` instead, the mistake would stay silent
and the default would hold, so the class is refused where it is defined.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from neurorules.language.errors import UserError

SHORTEST = 5
"""Letters of the shortest name of a contract whose misspellings are refused: shorter words resemble too many others."""


class Contract(ABC):  # noqa: B024 - the contracts below it have abstract methods
    """The base of the contracts that users implement by a class: the names in each such class are checked.

    A contract says its kind and the names that it had in earlier versions, each with its name of today, as in
    `class Signal(Contract, kind="signal", older={"known": "timing"})`.
    """

    _kind: ClassVar[str] = ""
    _older: ClassVar[Mapping[str, str]] = {}
    _names: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, kind: str = "", older: Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        if kind:
            cls._kind, cls._older, cls._names = kind, older or {}, names_in([cls])
        else:
            inherited = names_in(cls.__mro__[1:])
            check_members(cls._kind, cls.__name__, names_in([cls]) - inherited, cls._names, cls._older)


def check_members(
    kind: str, part: str, names: Collection[str], contract: Collection[str], older: Mapping[str, str]
) -> None:
    """Refuse a class with an older or a misspelt name of its contract.

    Args:
        kind: what the class is, such as "signal".
        part: the name of the class.
        names: the public names that the class adds.
        contract: the names of the contract.
        older: names that the contract had in earlier versions, each with its name of today.

    Raises:
        UserError: the class has such a name; the message says which name to write.
    """
    for name in names:
        today = older.get(name)
        if today is not None:
            raise UserError(
                f"{kind} '{part}' sets '{name}', which is called '{today}' today, so that nothing would read it. "
                f"Write {today}"
            )
        meant = next((word for word in sorted(contract) if name != word and resembles(name, word)), None)
        if meant is not None and name not in contract:
            raise UserError(
                f"{kind} '{part}' has '{name}', which nothing reads: a {kind} has '{meant}'. Write {meant}, or choose "
                f"a name that resembles it less"
            )


def resembles(name: str, word: str) -> bool:
    """Whether a name is a word of the contract with one slip: a letter or an underscore too many, too few, wrong or
    swapped with the next one. Capitals do not count.

    Args:
        name: the name to judge.
        word: a word of the contract.

    Returns:
        True for a slip; False for words of fewer than `SHORTEST` letters.
    """
    a, b = name.lower(), word.lower()
    if len(b) < SHORTEST or abs(len(a) - len(b)) > 1:
        return False
    if len(a) != len(b):
        long, short = (a, b) if len(a) > len(b) else (b, a)
        return any(long[:at] + long[at + 1 :] == short for at in range(len(long)))
    wrong = [at for at, letters in enumerate(zip(a, b, strict=True)) if letters[0] != letters[1]]
    if len(wrong) < 2:
        return True
    first, last = wrong[0], wrong[-1]
    return last == first + 1 and len(wrong) == 2 and a[first] == b[last] and a[last] == b[first]


def names_in(parts: Collection[type]) -> frozenset[str]:
    """The public names that classes bind or annotate themselves, without those of their bases."""
    names = {name for part in parts for name in (*vars(part), *vars(part).get("__annotations__", {}))}
    return frozenset(name for name in names if not name.startswith("_"))
