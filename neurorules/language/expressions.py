"""Expressions of rule texts: parsed from Python's expression syntax, evaluated on numbers, arrays or tensors."""

from __future__ import annotations

import ast
import keyword
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from neurorules.language.errors import UserError, unknown

FUNCTIONS: Mapping[str, int] = {
    "relu": 1, "abs": 1, "exp": 1, "tanh": 1, "sqrt": 1, "sign": 1,
    "clip": 3, "min": 2, "max": 2, "psi": 1, "through_norm": 1, "before": 1, "delay": 2,
}  # fmt: skip
"""Legal functions and their numbers of arguments. `psi` is the neuron's own pseudo-derivative of the spike;
`through_norm` carries a post factor back through the neuron's own normalisation (identity without one). `before(x_pre)`
is the trace without the contribution of this step, decay x[t-1], and `delay(S_pre, 3)` is the value three steps ago (0
before the first step)."""

PAST = frozenset({"before", "delay"})
"""Functions that read the past. They are not computed from the value of their argument at this step: `evaluate` looks
up their value by the text of the call."""
LONGEST_DELAY = 1000
"""The longest delay in steps; its memory is needed for every neuron."""

LARGEST_NUMBER = 3.4e38
"""The largest float32 number; rules are computed in float32."""

COMPARISONS: Mapping[type[ast.cmpop], str] = {ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<="}
OPERATORS: Mapping[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**",
}  # fmt: skip


@dataclass(frozen=True)
class Number:
    """A number in an expression."""

    value: float


@dataclass(frozen=True)
class Name:
    """A variable: `S_pre`, `v_post`, `w`, or a declared constant."""

    text: str


@dataclass(frozen=True)
class Binary:
    """`left operator right`, the operator one of + - * / ** or a comparison (which gives 0 or 1)."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Call:
    """`function(arguments)` with a function of `FUNCTIONS`."""

    function: str
    arguments: tuple[Expression, ...]


Expression = Number | Name | Binary | Call


def is_readable(name: str, reserved: Collection[str] = ()) -> bool:
    """Whether a declared trace or eligibility may have this name.

    Args:
        name: the name as declared.
        reserved: names with another meaning, beside those of functions.

    Returns:
        Whether the name is a lower-case word without the suffix of a side, and is not reserved.
    """
    word = re.fullmatch(r"[a-z][a-z0-9_]*", name) is not None and not keyword.iskeyword(name)
    return word and not name.endswith(("_pre", "_post")) and name not in FUNCTIONS and name not in reserved


def parse(text: str) -> Expression:
    """Parse one text of a rule into an expression.

    Raises:
        UserError: the text is not an expression, or uses syntax or a function that rules do not have.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        why = str(error).partition(" (<unknown>")[0].partition(";")[0]
        raise UserError(f"rule text '{text:.80}' is not an expression ({why}). Write products and sums") from None
    except (RecursionError, MemoryError):
        raise _too_deep(text) from None
    try:
        return _convert(tree.body, text)
    except RecursionError:
        raise _too_deep(text) from None


def _too_deep(text: str) -> UserError:
    return UserError(f"rule text '{text:.80}' is nested too deeply or too long to be read. Write a shorter one")


def _convert(node: ast.expr, text: str) -> Expression:
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as value):
            return _number(value, text)
        case ast.Name(id=name):
            return Name(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return Binary("*", Number(-1.0), _convert(operand, text))
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _convert(operand, text)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return Binary(OPERATORS[type(op)], _convert(left, text), _convert(right, text))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARISONS:
            return Binary(COMPARISONS[type(op)], _convert(left, text), _convert(right, text))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            return _call(name, tuple(_convert(arg, text) for arg in args), text)
    raise UserError(
        f"rule text '{text}' uses `{ast.unparse(node)}`, which rules do not have. "
        f"Use names, numbers, + - * / **, one comparison, and {', '.join(FUNCTIONS)}"
    )


def _number(value: int | float, text: str) -> Number:
    try:
        number = float(value)
    except OverflowError:  # an integer with hundreds of digits
        number = math.inf
    if not abs(number) <= LARGEST_NUMBER:
        raise UserError(f"rule text '{text:.80}' holds a number too large to compute with. Use a finite one")
    return Number(number)


def _call(name: str, arguments: tuple[Expression, ...], text: str) -> Call:
    if name not in FUNCTIONS:
        raise unknown(f"function in rule text '{text}':", name, FUNCTIONS)
    if len(arguments) != FUNCTIONS[name]:
        wanted = "1 argument" if FUNCTIONS[name] == 1 else f"{FUNCTIONS[name]} arguments"
        raise UserError(f"rule text '{text}': {name}() takes {wanted}, and has {len(arguments)} here. Correct it")
    match name, arguments:
        case ("before", (Name(),)):
            pass  # `neuron_trace.check_past` checks this, because the rule says which names are traces.
        case ("before", _):
            raise UserError(
                f"rule text '{text}': before() takes the name of a trace, found {show(arguments[0])}. "
                f"Write before(x_pre)"
            )
        case ("delay", (Name(), Number(n))) if n in range(1, LONGEST_DELAY + 1):
            pass
        case ("delay", _):
            raise UserError(
                f"rule text '{text}': delay() takes a name and a whole number of steps, 1 to {LONGEST_DELAY}, "
                f"found {', '.join(map(show, arguments))}. Write delay(S_pre, 3)"
            )
    return Call(name, arguments)


def names_in(expression: Expression) -> Iterator[str]:
    """Every name that an expression reads, including repetitions."""
    match expression:
        case Name(text):
            yield text
        case Binary(_, left, right):
            yield from names_in(left)
            yield from names_in(right)
        case Call(_, arguments):
            for argument in arguments:
                yield from names_in(argument)


def calls_in(expression: Expression) -> Iterator[Call]:
    """Every call in an expression, including repetitions, outer calls first."""
    match expression:
        case Binary(_, left, right):
            yield from calls_in(left)
            yield from calls_in(right)
        case Call(_, arguments):
            yield expression
            for argument in arguments:
                yield from calls_in(argument)


def show_number(value: float) -> str:
    """Write a number as short as a reader takes it, and with all its digits where the short form is another number."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def show(expression: Expression) -> str:
    """Write the expression as a text from which `parse` reads the same expression."""
    match expression:
        case Number(value):
            return show_number(value) if value >= 0 else f"({show_number(value)})"
        case Name(text):
            return text
        case Call(function, arguments):
            return f"{function}({', '.join(map(show, arguments))})"
        case Binary("*", Number(-1.0), right):
            return f"(-{show(right)})"
        case Binary(operator, left, right):
            return f"({show(left)} {operator} {show(right)})"


def evaluate(expression: Expression, names: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]) -> Any:
    """Evaluate an expression on floats, arrays or tensors.

    Args:
        expression: what to evaluate.
        names: a value for every name in the expression, and for every call of `PAST` by its text, such as
            "before(x_pre)".
        functions: the functions of `FUNCTIONS` that the expression calls. Operators and comparisons may be overridden
            by their signs, because comparisons of tensors give booleans.

    Returns:
        The value, of the type that its names and functions give.
    """
    match expression:
        case Number(value):
            return value
        case Name(text):
            return names[text]
        case Call(function, _) if function in PAST:
            return names[show(expression)]
        case Call(function, arguments):
            return functions[function](*(evaluate(argument, names, functions) for argument in arguments))
        case Binary(operator, left, right):
            return _apply(operator, evaluate(left, names, functions), evaluate(right, names, functions), functions)


def _apply(operator: str, left: Any, right: Any, functions: Mapping[str, Callable[..., Any]]) -> Any:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left / right
        case "**":
            return left**right
    return functions[operator](left, right)
