"""The syntax for a part with options, `name:key=value:key=value`, as in `--rule sigprop:form=voltage`.

Commas separate the parts of a list. If the value of an option is a part with options of its own, these are written
after a full stop: `lif:surrogate=triangle:surrogate.width=0.5`.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from neurorules.language.errors import UserError, unknown
from neurorules.language.ranges import check_ranges, hints_of, words_of

OWN_OPTIONS = "own options"
Named = Annotated[str, OWN_OPTIONS]
"""The type of an option whose value is a part with options of its own, such as `fast_sigmoid:k=25`."""


def parse_named(text: str) -> tuple[str, dict[str, str]]:
    """Split `name:key=value:key=value` into the name and its raw options.

    Raises:
        UserError: the name is empty, an option has no `=`, or an option is given twice.
    """
    if not isinstance(text, str):
        raise UserError(f"{text!r:.60} names nothing. Write name:key=value, for example sigprop:form=voltage")
    name, *pieces = text.strip().split(":")
    if not name:
        raise UserError(f"'{text}' names nothing. Write name:key=value, for example sigprop:form=voltage")
    options: dict[str, str] = {}
    for piece in pieces:
        key, equals, value = piece.partition("=")
        key = key.strip()
        if not equals or not key or not value:
            raise UserError(f"'{piece}' in '{text}' is not an option. Write key=value, for example form=voltage")
        if key in options:
            raise UserError(f"option '{key}' is given twice in '{text}'. Keep one of them")
        options[key] = value.strip()
    return name.strip(), options


def write_named(name: str, options: Mapping[str, Any]) -> str:
    """Write a part with its options: `name:key=value:key=value`.

    Args:
        name: the name of the part, such as "sigprop".
        options: values by name, in the order in which they are written.

    Returns:
        The text, which `parse_named` and `convert_options` can read.
    """
    pieces = [name]
    for key, value in options.items():
        text = _written(value)
        word, own = parse_named(text) if ":" in text else (text, {})
        pieces += [f"{key}={word}", *(f"{key}.{inner}={inside}" for inner, inside in own.items())]
    return ":".join(pieces)


def _written(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(value)


def parse_list(text: str) -> list[str]:
    """Split a comma-separated list; empty pieces are dropped, and commas within brackets do not separate.

    Raises:
        UserError: it is no text.
    """
    if not isinstance(text, str):
        raise UserError(f"{text!r:.60} is no list of names. Write one text with commas between them, such as 'a,b'")
    pieces, depth = [""], 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth <= 0:
            pieces.append("")
        else:
            pieces[-1] += sign
    return [piece.strip() for piece in pieces if piece.strip()]


def check_flag(name: str, value: Any) -> None:
    """Refuse what is neither True nor False, such as the text "no", which Python takes for true.

    Args:
        name: how the error names the argument.
        value: the value of the argument.

    Raises:
        UserError: it is something else.
    """
    if not isinstance(value, bool):
        raise UserError(f"{name} is {value!r:.60}. Give True or False")


def convert_options(owner: str, factory: Callable[..., Any], raw: Mapping[str, str]) -> dict[str, Any]:
    """Convert raw option texts to the types that `factory` declares.

    Args:
        owner: how the error names the part, such as "rule 'sigprop'".
        factory: a dataclass or function with annotated keyword parameters.
        raw: option texts as written.

    Returns:
        The values of the options that are given, by name.

    Raises:
        UserError: an option is unknown (the message names the nearest one), a value has the wrong type, or a number is
            outside its declared range.
    """
    accepted = hints_of(factory)
    values: dict[str, Any] = {}
    for key, text in _whole_texts(raw, factory).items():
        if key not in accepted:
            raise unknown(f"option of {owner}", key, accepted)
        values[key] = convert(f"{owner}, option '{key}'", accepted[key], text)
    check_ranges(owner, factory, values)
    return values


def _whole_texts(raw: Mapping[str, str], factory: Callable[..., Any]) -> dict[str, str]:
    """Join `surrogate=triangle` and `surrogate.width=0.5` into the option text `surrogate=triangle:width=0.5`.

    If `surrogate` is left out, its default name is used, so that `surrogate.width=0.5` can be given alone.
    """
    accepted, defaults = hints_of(factory), defaults_of(factory)
    whole = {key: text for key, text in raw.items() if not names_own_option(key, accepted)}
    for key, text in raw.items():
        if key not in whole:
            option, _, own = key.partition(".")
            begin = whole.get(option, defaults.get(option))
            if begin is None:
                raise UserError(
                    f"'{key}={text}' is an option of '{option}', which is not named. Give {option}=NAME too"
                )
            whole[option] = f"{begin}:{own}={text}"
    return whole


def names_own_option(key: str, accepted: Mapping[str, Any]) -> bool:
    """Whether a key such as `surrogate.width` is an option of the part that another option names.

    Args:
        key: the key as the user wrote it.
        accepted: the annotated types of the legal options, by name.

    Returns:
        True if the key begins with an option whose type is or allows `Named`, followed by a full stop.
    """
    option, dot, _ = key.partition(".")
    kind = accepted.get(option)
    return bool(dot) and any(OWN_OPTIONS in getattr(part, "__metadata__", ()) for part in (kind, *get_args(kind)))


def defaults_of(factory: Callable[..., Any]) -> dict[str, Any]:
    """The default value of every option that has one."""
    parameters = inspect.signature(factory).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}


def check_options(owner: str, factory: Callable[..., Any], values: Mapping[str, Any]) -> None:
    """Check option values that Python code passes, which are already converted from text.

    Args:
        owner: how the error names the part, such as "signal 'prototypes'".
        factory: a dataclass or function with annotated keyword parameters.
        values: values by option name.

    Raises:
        UserError: an option is unknown (the message names the nearest one), a value has the wrong type, or a number is
            outside its declared range.
    """
    accepted = hints_of(factory)
    for key, value in values.items():
        if key not in accepted:
            raise unknown(f"option of {owner}", key, accepted)
        where = f"{owner}, option '{key}'"
        if convert(where, accepted[key], _written(value)) != value:
            raise UserError(f"{where}: {value!r} has the wrong type. Give {_written(value)} as the option declares it")
    check_ranges(owner, factory, values)


def convert(where: str, kind: Any, text: str) -> Any:
    """Convert one option text to a value of the annotated type.

    Args:
        where: how the error names the option.
        kind: the annotated type.
        text: the text as the user wrote it.

    Returns:
        The value; None if the text is "none" and the type allows None.

    Raises:
        UserError: the text cannot be converted.
    """
    origin = get_origin(kind)
    if origin is Annotated:
        return convert(where, get_args(kind)[0], text)
    if origin in (Union, types.UnionType):
        kinds = [k for k in get_args(kind) if k is not type(None)]
        if text == "none" and type(None) in get_args(kind) and kinds[0] is not str:
            return None  # for options of type text, "none" is an ordinary word: --norm none
        words, numbers = words_of(kind), [k for k in kinds if get_origin(k) is not Literal]
        if text in words:
            return text
        try:
            return convert(where, [*numbers, *kinds][0], text)
        except UserError:
            if not words or not numbers:
                raise
            raise UserError(f"{where} is '{text:.40}'. Give {', '.join(words)} or a number") from None
    if origin is Literal:
        if text not in get_args(kind):
            raise unknown(f"value of {where}:", text, [str(v) for v in get_args(kind)])
        return text
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise UserError(f"{where} is '{text}'. Write true or false")
        return text.lower() == "true"
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            word = "a whole number" if kind is int else "a number"
            raise UserError(f"{where} is '{text:.40}', which is not {word}. Write one") from None
    return text
